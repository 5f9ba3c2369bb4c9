import { expect, test } from 'vitest';
import { similarSeries } from './similar-series.ts';
import type { Series, Study } from '../study.ts';

/** A series as `MR T2 FLAIR axial @HEAD ×24`. */
function series(text: string): Series {
  const [, modality, description, bodySite, count] = /^(\w+) ?([^@×]*?)(?: @(\w+))?(?: ×(\d+))?$/.exec(text)!;
  return {
    uid: text,
    modality: modality!,
    ...(description && { description }),
    ...(bodySite && { bodySite }),
    ...(count && { numberOfInstances: Number(count) }),
  };
}

test.each<[name: string, series: string, study: string[], expected: string | undefined]>([
  [
    'the same description',
    'MR T2 FLAIR axial',
    ['MR T1 axial ×200', 'MR T2 FLAIR axial ×24'],
    'MR T2 FLAIR axial ×24',
  ],
  ['modality before words', 'CT Chest', ['SR Chest', 'PT Chest ×90', 'CT Thorax ×50'], 'CT Thorax ×50'],
  ['a report is no image', 'SR Measurements', ['SR Measurements', 'CT Lung ×40'], 'CT Lung ×40'],
  [
    'orientation before words',
    'MR T1 cor',
    ['MR T1 sag ×24', 'MR FLAIR coronal ×20'],
    'MR FLAIR coronal ×20',
  ],
  ['orientations have several names', 'MR T1 ax', ['MR T1 cor ×24', 'MR T1 TRA ×20'], 'MR T1 TRA ×20'],
  ['body site', 'CT 5 mm @CHEST', ['CT 5 mm @ABDOMEN ×90', 'CT 5 mm @chest ×60'], 'CT 5 mm @chest ×60'],
  ['no localizer for a volume', 'CT Soft tissue 1.5 mm', ['CT Localizer ×90', 'CT B30f ×60'], 'CT B30f ×60'],
  ['a localizer for a localizer', 'CT Scout', ['CT Topogram ×2', 'CT B30f ×60'], 'CT Topogram ×2'],
  [
    'words before thickness',
    'CT Lung 1.5 mm',
    ['CT Soft tissue 1.5 mm ×200', 'CT Lung 5 mm ×60', 'CT Topogram ×1'],
    'CT Lung 5 mm ×60',
  ],
  ['a radiograph of another kind', 'DX PA', ['US PA ×9', 'CR AP ×1'], 'CR AP ×1'],
  ['the longest of equals', 'CT', ['CT ×2', 'CT ×60', 'CT'], 'CT ×60'],
  ['another modality, if there is no other', 'CT Chest', ['MR Chest ×9'], 'MR Chest ×9'],
  ['accents aside', 'MR Axial Difusión', ['MR Axial T1 ×9', 'MR axial difusion ×3'], 'MR axial difusion ×3'],
  ['no images', 'CT Chest', ['SR Dose'], undefined],
  ['no series', 'CT Chest', [], undefined],
])('%s', (_name, of, study, expected) => {
  const compared: Study = { uid: '1', id: '1', modalities: [], series: study.map(series) };
  expect(similarSeries(series(of), compared)?.uid).toBe(expected);
});

test('nothing is known: the longest series with images', () => {
  const compared: Study = {
    uid: '1',
    id: '1',
    modalities: [],
    series: ['SR ×99', 'CT ×2', 'CT ×8'].map(series),
  };
  expect(similarSeries(undefined, compared)?.uid).toBe('CT ×8');
});
