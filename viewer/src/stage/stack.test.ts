import { expect, test } from 'vitest';
import { stackFrames, type InstanceMetadata } from './stack.ts';

function instance(uid: string, number: number, z?: number, frames?: number): InstanceMetadata {
  return {
    '00080018': { vr: 'UI', Value: [uid] },
    '00200013': { vr: 'IS', Value: [number] },
    '00280010': { vr: 'US', Value: [2] },
    '00280011': { vr: 'US', Value: [2] },
    ...(z !== undefined && {
      '00200032': { vr: 'DS', Value: [0, 0, z] },
      '00200037': { vr: 'DS', Value: [1, 0, 0, 0, 1, 0] },
    }),
    ...(frames && { '00280008': { vr: 'IS', Value: [frames] } }),
  };
}
const order = (instances: InstanceMetadata[]): string[] =>
  stackFrames('http://x/studies/1/series/2', instances).map(
    ({ imageId }) => imageId.split('/instances/')[1]!,
  );

test.each([
  [
    'by position if every image has one',
    [instance('a', 1, 10), instance('c', 2, 30), instance('b', 3, 20)],
    ['a', 'b', 'c'],
  ],
  [
    'starting at the end with the lower instance numbers',
    [instance('b', 2, -5), instance('a', 1, 10)],
    ['a', 'b'],
  ],
  ['by instance number if a position is missing', [instance('b', 2, -5), instance('a', 1)], ['a', 'b']],
  ['by instance number if two positions are equal', [instance('b', 2, 1), instance('a', 1, 1)], ['a', 'b']],
])('images are ordered %s', (_, instances, expected) =>
  expect(order(instances)).toEqual(expected.map((uid) => `${uid}/frames/1`)),
);

test('each frame of a multi-frame object is an image', () => {
  expect(order([instance('a', 1, undefined, 3)])).toEqual(['a/frames/1', 'a/frames/2', 'a/frames/3']);
});

test('objects without pixels are not part of the stack', () => {
  expect(order([{ '00080018': { vr: 'UI', Value: ['sr'] } }])).toEqual([]);
});

test.each([
  [16, 'AAABAP//', [0, 1, 65535]],
  [8, 'AAH/', [0, 1, 255]],
])('an inline palette of %i bits is converted to numbers', (bits, InlineBinary, numbers) => {
  const palette: InstanceMetadata = {
    ...instance('a', 1),
    '00281101': { vr: 'US', Value: [3, 0, bits] },
    '00281201': { vr: 'OW', InlineBinary },
  };
  const [frame] = stackFrames('http://x', [palette]);
  expect(frame!.metadata['00281201']!.Value).toEqual(numbers);
});
