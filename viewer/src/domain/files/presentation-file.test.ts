import { expect, test } from 'vitest';
import { authorship, CT, FILM, KEYED, keyed, MEASURED, ON_CT, ON_FILM } from '../../../test/setup/marks.ts';
import { contentOf } from '../../../test/setup/read-overlay.ts';
import { inlineBytes } from '../documents/inline-bytes.ts';
import { readPart10 } from '../dicom/part10-reader.ts';
import { writePart10 } from '../dicom/part10.ts';
import { numbers, text, type Instance } from '../instance.ts';
import type { Content, Look } from '../overlays/overlay.ts';
import { presentationState } from '../overlays/presentation-state.ts';
import type { Target } from '../overlays/target.ts';
import type { KeyImage } from '../series/key-image.ts';
import { items } from '../../../../schema/dicom/dicom.ts';
import { stateOf, type View } from './presentation-file.ts';

const target = (metadata: Instance, { instance, frame } = ON_CT): Target => ({
  id: '',
  instance,
  frame,
  metadata,
  rectangle: undefined,
  halfSlice: 1,
});

function stateAgain(view: View): Instance {
  const reading = readPart10(writePart10(stateOf(view, { series: '2.25.9', at: 1 }, authorship('Ana'))));
  if ('refused' in reading) throw new Error(reading.refused);
  return reading.instance;
}
const contentAgain = (view: View): Content => contentOf(presentationState, stateAgain(view));
const lookAgain = (changes: Partial<KeyImage>, metadata = CT): Look =>
  contentAgain({ ...keyed(ON_CT, changes, metadata), measurements: [] }).lookOn!(target(metadata))!;

test.each<[what: string, changes: Partial<KeyImage>, look: Partial<Look>]>([
  [
    'the window',
    { window: { centre: -600, width: 1500 } },
    { window: { centre: -600, width: 1500 }, inverted: false },
  ],
  ['the window of the image', { window: undefined }, { window: { centre: 40, width: 400 } }],
  ['inverted', { inverted: true }, { inverted: true }],
  [
    'the whole image',
    {},
    { rotation: 0, flipped: false, area: { least: [-0.5, -0.5], most: [511.5, 511.5] } },
  ],
  ...[0, 90, 180, 270].flatMap((rotation) =>
    [false, true].map((flipped): [string, Partial<KeyImage>, Partial<Look>] => [
      `turned by ${rotation}${flipped ? ', mirrored' : ''}`,
      { camera: { zoom: 1, rotation, flipped, centre: undefined } },
      { rotation, flipped },
    ]),
  ),
  [
    'a part of the image',
    { camera: { zoom: 4, rotation: 0, flipped: false, centre: [100, 200] } },
    { area: { least: [36.5, 136.5], most: [164.5, 264.5] } },
  ],
])('%s is shown again', (_what, changes, look) => {
  expect(lookAgain(changes)).toMatchObject(look);
});

test('black on white as stored stays so', () => {
  const metadata = { ...CT, '00280004': { vr: 'CS', Value: ['MONOCHROME1'] } };
  expect(lookAgain({ inverted: false }, metadata).inverted).toBe(false);
  expect(lookAgain({ inverted: true }, metadata).inverted).toBe(true);
});

/** The first corner is that which is shown top left (PS3.3 §C.10.4). */
test.each([
  [0, false, [1, 1], [512, 512]],
  [90, false, [1, 512], [512, 1]],
  [180, false, [512, 512], [1, 1]],
  [270, false, [512, 1], [1, 512]],
  [0, true, [512, 1], [1, 512]],
  // Here it is mirrored and then turned: its lower right corner comes to the upper left, by way of the lower left.
  [90, true, [512, 512], [1, 1]],
])('turned by %d, mirrored %s: the area begins at %j', (rotation, flipped, first, last) => {
  const camera = { zoom: 1, rotation, flipped, centre: undefined };
  const [area] = items(stateAgain({ ...keyed(ON_CT, { camera }), measurements: [] }), '0070005A');
  expect([numbers(area!, '00700052', 2), numbers(area!, '00700053', 2)]).toEqual([first, last]);
});

test('measurements are drawn where they were, with their words', () => {
  const measurements = MEASURED.slice(0, 9).map(({ measurement }) => measurement);
  const content = contentAgain({ ...KEYED[1]!, measurements });
  expect(content.undone).toEqual([]);
  const shapes = content.shapesOn(target(CT), content.parts[0]!);
  const lines = shapes.filter(({ kind }) => kind === 'line');
  expect(lines[0]).toMatchObject({ points: [[100, 100], [130, 140]] }); // prettier-ignore
  // Length, two diameters, angle, rectangle, freehand, two arrows with their heads.
  expect(lines).toHaveLength(10);
  expect(shapes.filter(({ kind }) => kind === 'ellipse')).toHaveLength(1);
  expect(shapes.filter(({ kind }) => kind === 'point')).toEqual([{ kind: 'point', at: [256, 256] }]);
  const words = shapes.flatMap((shape) => (shape.kind === 'text' ? [shape.text] : []));
  expect(words).toEqual([
    '35.0 mm',
    '42.0 mm\n14.0 mm',
    '90.0°',
    expect.stringMatching(/^391\.9 mm²\nMean 35\.3 HU\nStandard Deviation 12\.5 HU\n[^]*1234 pixels$/),
    expect.stringMatching(/^307\.9 mm²\nMean 35\.3\n/),
    expect.stringMatching(/mm²\nMean/),
    '-812.0 HU',
    'Nódulo: ¿vaso? \\ 😀 ^ =',
  ]);
  // On another image it says nothing.
  expect(content.shapesOn(target(CT, ON_FILM), content.parts[0]!)).toEqual([]);
});

test('of a film one frame is meant, and its pixels have a form', () => {
  const state = stateAgain({ ...KEYED[0]!, measurements: [] });
  const { lookOn } = contentOf(presentationState, state);
  expect(lookOn!(target(FILM, ON_FILM))).toBeDefined();
  expect(lookOn!(target(FILM, { ...ON_FILM, frame: 8 }))).toBeUndefined();
  const [area] = items(state, '0070005A');
  expect(numbers(area!, '00700102', 2)).toEqual([1, 1]);
  expect(area).not.toHaveProperty('00700101');
});

test('a state has a Laterality, its creator and a title of at most 64 characters', () => {
  const state = stateAgain({ ...keyed(ON_CT, { title: '😀'.repeat(80) }), measurements: [] });
  expect(state).toHaveProperty('00200060');
  expect(text(state, '00700084')).toBe('Ana^');
  expect([...text(state, '00700081')!]).toHaveLength(64);
});

test('an image in colour has a state with a profile, and without a window', () => {
  const colour = { ...CT, '00280002': { vr: 'US', Value: [3] }, '00280004': { vr: 'CS', Value: ['RGB'] } };
  const camera = { zoom: 2, rotation: 180, flipped: false, centre: undefined };
  const state = stateAgain({ ...keyed(ON_CT, { camera }, colour), measurements: [] });
  expect(text(state, '00080016')).toBe('1.2.840.10008.5.1.4.1.1.11.2');
  for (const tag of ['00283110', '00281052', '20500020']) expect(state).not.toHaveProperty(tag);
  const look = contentOf(presentationState, state).lookOn!(target(colour));
  expect(look).toMatchObject({ rotation: 180, inverted: false });
  const profile = inlineBytes(state['00282000']!.InlineBinary!)!;
  expect(new DataView(profile.buffer).getUint32(0)).toBe(profile.length);
});
