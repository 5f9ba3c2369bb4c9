import { expect, test } from 'vitest';
import { type Study } from '../study.ts';
import { linkedSentences } from './report-links.ts';
import { sentencesOf } from './sentences.ts';

const study = (
  uid: string,
  accession: string,
  counts: readonly (number | undefined)[],
  rest = {},
): Study => ({
  uid,
  id: `id-${uid}`,
  accession,
  modalities: ['CT'],
  location: { dicomweb: 'https://images.example' },
  series: counts.map((numberOfInstances, index) => ({
    uid: `${uid}.${index + 1}`,
    number: index + 1,
    modality: 'CT',
    ...(numberOfInstances !== undefined && { numberOfInstances }),
  })),
  ...rest,
});
const NOW = study('1.2.840.1.2', 'RB26-118204', [3, 208, 52]);
const BEFORE = study('1.2.840.1.1', 'RB25-104417', [3, 60]);
const STUDIES = [NOW, BEFORE, study('1.2.840.1.9', 'RB20-000001', [1], { location: undefined })];

/** Returns the links of a text as `words → study/series/images`; the present study is `now`. */
function links(text: string, heading?: string, studies = STUDIES): string[] {
  const sentences = linkedSentences(text, { studies, of: [NOW.id], heading });
  expect(sentences.map((pieces) => pieces.map((piece) => piece.text).join('')).join('')).toBe(text);
  return sentences.flat().flatMap(({ text: words, link }) => {
    if (!link) return [];
    const of = link.study === NOW.uid ? 'now' : link.study === BEFORE.uid ? 'before' : link.study;
    const series = link.series?.slice(link.study.length + 1);
    const images = link.images && [...new Set(link.images)].join('-');
    const frames = link.frames && `f${[...new Set(link.frames)].join('-')}`;
    return `${words} → ${[of, series, images, frames].filter(Boolean).join('/')}`;
  });
}

test.each<[string, string[]]>([
  ['A nodule (series 2, image 87).', ['series 2, image 87 → now/2/87']],
  [
    'A nodule (series 2 image 87; series 3, image 22).',
    ['series 2 image 87 → now/2/87', 'series 3, image 22 → now/3/22'],
  ],
  ['Series 3 is blurred.', ['Series 3 → now/3']],
  ['See image 12 of series 3.', ['image 12 of series 3 → now/3/12']],
  ['See image 12, series 3.', ['image 12, series 3 → now/3/12']],
  ['See Series #3 (image 12).', ['Series #3 (image 12 → now/3/12']],
  ['On series 3/image 12 it is seen.', ['series 3/image 12 → now/3/12']],
  ['Se 3, Im 12: normal.', ['Se 3, Im 12 → now/3/12']],
  ['A nodule (3/22) and another [2/87].', ['3/22 → now/3/22', '2/87 → now/2/87']],
  ['Two nodules (2/87, 2/90).', ['2/87 → now/2/87', '2/90 → now/2/90']],
  ['Images 87 to 90 of series 2 show it.', ['Images 87 to 90 of series 2 → now/2/87-90']],
  ['Series 2, images 4, 5 and 8.', ['Series 2, images 4 → now/2/4', '5 → now/2/5', '8 → now/2/8']],
  ['Series 2, image 4 and image 8.', ['Series 2, image 4 → now/2/4', 'image 8 → now/2/8']],
  [
    'Series 2, image 4 and image 8 of series 3.',
    ['Series 2, image 4 → now/2/4', 'image 8 of series 3 → now/3/8'],
  ],
  ['Jet (series 1, image 1, frames 3 to 8).', ['series 1, image 1, frames 3 to 8 → now/1/1/f3-8']],
  ['Nódulo (serie 2, imagen 87).', ['serie 2, imagen 87 → now/2/87']],
  ['Véase la imagen 12 de la serie 3.', ['imagen 12 de la serie 3 → now/3/12']],
  [
    'Serie 2, imágenes 4 y 5; serie 3, cortes 7 a 9.',
    ['Serie 2, imágenes 4 → now/2/4', '5 → now/2/5', 'serie 3, cortes 7 a 9 → now/3/7-9'],
  ],
  ['A nodule on image 87.', ['image 87 → now/2/87']],
  ['Smaller than before (series 2, image 87).', ['series 2, image 87 → now/2/87']],
])('%s', (text, expected) => {
  expect(links(text)).toEqual(expected);
});

test.each<[why: string, text: string, heading?: string]>([
  ['beyond the count', 'Series 2, image 209, and image 0 of series 2; images 207 to 210 of series 2.'],
  ['no such series', 'A nodule (series 9, image 3; 9/3).'],
  ['in which series?', 'A nodule on image 40.'],
  ['another series is spoken of', 'Series 9 is blurred, but image 87 is sharp.'],
  ['a measurement', 'Image 3 mm thick; slice 5 mm; images 2.5 cm.'],
  ['another number', 'image 3/87, image 2.5, image 12345.'],
  ['a score', 'Strength (2/5), grade (3/5), PI-RADS (3/5).'],
  ['an earlier study', 'Compared with the prior study (series 2, image 25).'],
  ['an earlier study', 'Nodule of 6 mm on series 2, image 25 of the previous CT.'],
  ['an earlier study', 'En el estudio anterior (serie 2, imagen 25).'],
  ['an earlier study', 'On 6 November 2025 it was 6 mm (series 2, image 25).'],
  ['under a heading', 'CT chest, series 2, image 25.', 'COMPARISON'],
  ['an unknown study', 'Accession RB24-999999, series 2, image 25.'],
  ['an unknown study', 'Study 1.2.840.1.77.5, series 2, image 25.'],
  ['after a bracket about another study', '9 mm (RB24-999999: 6 mm), series 2, image 25.'],
  ['no archive has it', 'See RB20-000001.'],
  ['the study itself', 'Accession RB26-118204, study 1.2.840.1.2.'],
  ['part of a longer word', 'XRB25-104417 and RB25-104417-2, subseries 2, image2x 5.'],
  ['Spanish', 'Se 3 observa.'],
])('no link, %s: %s', (_why, text, heading) => {
  expect(links(text, heading)).toEqual([]);
});

test('an accession number or a Study UID is a link, and images after it are of that study', () => {
  expect(links('It was 9 mm (series 2, image 87), 6 mm before (RB25-104417, series 2, image 25).')).toEqual([
    'series 2, image 87 → now/2/87',
    'RB25-104417 → before',
    'series 2, image 25 → before/2/25',
  ]);
  expect(links('COMPARISON: study 1.2.840.1.1, image 25.', 'COMPARISON')).toEqual([
    '1.2.840.1.1 → before',
    'image 25 → before/2/25',
  ]);
  expect(links('Before (RB25-104417, series 2, image 61).')).toEqual(['RB25-104417 → before']);
});

test('two studies with one number, and two series with one number, are no link', () => {
  const twin = study('1.2.840.1.5', BEFORE.accession!, [9]);
  expect(links('See RB25-104417, series 2, image 3.', undefined, [...STUDIES, twin])).toEqual([]);
  const doubled = { ...NOW, series: [...NOW.series, { ...NOW.series[1]!, uid: '7' }] };
  expect(links('Series 2, image 3.', undefined, [doubled])).toEqual([]);
});

test('an image without its series is no link while the length of another series is not known', () => {
  expect(links('Image 87.', undefined, [study(NOW.uid, 'A', [208, undefined])])).toEqual([]);
});

test.each<[string, string[]]>([
  ['One. Two.\nThree', ['One. ', 'Two.\n', 'Three']],
  ['1. Grown. 2. None.', ['1. Grown. ', '2. None.']],
  ['Dr. Okafor saw 2.5 mm. ¿Y ahora?', ['Dr. Okafor saw 2.5 mm. ', '¿Y ahora?']],
  ['', []],
])('sentences of %j', (text, expected) => {
  expect(sentencesOf(text)).toEqual(expected);
});
