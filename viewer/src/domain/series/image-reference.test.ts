import { expect, test } from 'vitest';
import { names, placeOf, type ImageReference } from './image-reference.ts';
import { stacksOf } from './stacks.ts';

const SERIES = { study: '1', series: '1.1' };

/** Three images whose numbers begin at 10, and a fourth in colour with two frames. */
const instances = [10, 11, 12, 13].map((number) => ({
  '00080018': { vr: 'UI', Value: [`1.1.${number}`] },
  '00200013': { vr: 'IS', Value: [number] },
  '00280002': { vr: 'US', Value: [number === 13 ? 3 : 1] },
  '00280008': { vr: 'IS', Value: [number === 13 ? 2 : 1] },
  '00280010': { vr: 'US', Value: [4] },
  '00280011': { vr: 'US', Value: [4] },
}));
const stacks = stacksOf(SERIES, instances);

test.each<[string, Partial<ImageReference>, string | undefined]>([
  ['a number, not a place in the stack', { images: [11, 11] }, '1.1.11/1'],
  ['the first of several', { images: [12, 13] }, '1.1.12/1'],
  ['an image of another stack', { images: [13, 13] }, '1.1.13/1'],
  ['a frame of it', { images: [13, 13], frames: [2, 2] }, '1.1.13/2'],
  ['an instance', { instance: '1.1.12' }, '1.1.12/1'],
  ['a number that no image has', { images: [1, 1] }, undefined],
  ['a frame that it does not have', { images: [11, 11], frames: [2, 4] }, undefined],
  ['another series', { series: '1.2', images: [11, 11] }, undefined],
  ['another study', { study: '2', images: [11, 11] }, undefined],
  ['no image', {}, undefined],
])('a reference to %s', (_name, reference, expected) => {
  const whole = { ...SERIES, ...reference };
  const place = placeOf(whole, stacks);
  const frame = place?.stack.frames[place.index];
  expect(frame && `${frame.name.instance}/${frame.name.frame}`).toBe(expected);
  expect(stacks.some((stack) => stack.frames.some((one) => names(whole, one)))).toBe(expected !== undefined);
});
