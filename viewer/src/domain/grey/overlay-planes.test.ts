import { expect, test } from 'vitest';
import type { Instance } from '../instance.ts';
import { overlayPixels, overlayPlanesOf } from './overlay-planes.ts';

const metadata = (values: Record<string, readonly unknown[]>): Instance => ({
  ...Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'UN', Value }])),
});
const plane = (changes: Record<string, readonly unknown[]> = {}, group = '6000'): Instance => ({
  ...metadata({ [`${group}0010`]: [3], [`${group}0011`]: [4], ...changes }),
  [`${group}3000`]: { vr: 'OW', InlineBinary: '' },
});

test.each<[string, Instance, object[]]>([
  ['none', metadata({ '00280010': [512] }), []],
  ['one', plane(), [{ group: 0, rows: 3, columns: 4, origin: [1, 1], frames: 1, firstFrame: 1 }]],
  ['one that begins elsewhere', plane({ '60000050': [-2, 5] }), [{ origin: [-2, 5] }]],
  [
    'the last group, with a name',
    plane({ '601E1500': ['Biopsy'] }, '601E'),
    [{ group: 15, label: 'Biopsy' }],
  ],
  ['two', { ...plane(), ...plane({}, '6002') }, [{ group: 0 }, { group: 1 }]],
  ['in the bits of pixels', plane({ '60000100': [16] }), []],
  ['without a size', plane({ '60000010': [] }), []],
])('planes of an image: %s', (_, instance, expected) => {
  const planes = overlayPlanesOf(instance);
  expect(planes).toHaveLength(expected.length);
  expect(planes).toMatchObject(expected);
});

const [single] = overlayPlanesOf(plane());
const [several] = overlayPlanesOf(plane({ '60000015': [2], '60000051': [3] }));
/** 0b1001_0001, 0b0000_1100; then 0b0101 of a second frame */
const BYTES = Uint8Array.of(0x91, 0x5c, 0x00);
const FIRST = [1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1];
const SECOND = [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];

test.each([
  ['the only one is for every frame', single!, 7, FIRST],
  ['the first of several', several!, 3, FIRST],
  ['the second one begins within a byte', several!, 4, SECOND],
  ['before the first', several!, 2, undefined],
  ['after the last', several!, 5, undefined],
])('pixels of a frame: %s', (_, of, frame, expected) =>
  expect(overlayPixels(of, BYTES, frame)).toEqual(expected && Uint8Array.from(expected)),
);

test('data that are too short are not drawn', () =>
  expect(overlayPixels(single!, Uint8Array.of(0x91), 1)).toBeUndefined());
