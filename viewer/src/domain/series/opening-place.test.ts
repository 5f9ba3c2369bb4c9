import { expect, test } from 'vitest';
import { openingPlace } from './opening-place.ts';
import type { Stack, StackFrame } from './stacks.ts';

function stack(key: string, count: number, metadata: StackFrame['metadata'] = {}): Stack {
  const frame = (at: number): StackFrame => ({
    id: `${key}.${at}`,
    name: { study: '1', series: '2', instance: key, frame: at + 1 },
    metadata,
    bytes: 2,
  });
  return { key, frames: Array.from({ length: count }, (_, at) => frame(at)) };
}

const FILM = stack('film', 30, {
  '00280008': { vr: 'IS', Value: [30] },
  '00181063': { vr: 'DS', Value: [40] },
  '00280009': { vr: 'AT', Value: ['00181063'] },
});

test.each<[string, Stack[], Parameters<typeof openingPlace>[1], [string, number] | undefined]>([
  ['the middle of the longest stack', [stack('a', 3), stack('b', 9)], {}, ['b', 4]],
  ['the stack that is named', [stack('a', 3), stack('b', 9)], { stack: 'a' }, ['a', 1]],
  ['the longest for a stack that is not there', [stack('a', 3)], { stack: 'x' }, ['a', 1]],
  ['the image that is named', [stack('a', 3)], { image: 3 }, ['a', 2]],
  ['the last for an image beyond it', [stack('a', 3)], { image: 300 }, ['a', 2]],
  ['the beginning of a film', [FILM], {}, ['film', 0]],
  ['nothing of a series without images', [], {}, undefined],
])('a series opens at %s', (_what, stacks, named, expected) => {
  const place = openingPlace(stacks, named);
  expect(place && [place.stack.key, place.index]).toEqual(expected);
});
