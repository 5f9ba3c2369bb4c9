import { expect, test } from 'vitest';
import { hotIron, overlayPixels } from './hot-iron.ts';

test.each([
  [-1, 0, 0, 0],
  [0, 0, 0, 0],
  [64 / 255, 128, 0, 0],
  [127 / 255, 254, 0, 0],
  [160 / 255, 255, 64, 0],
  [128 / 255, 255, 0, 0],
  [191 / 255, 255, 126, 0],
  [192 / 255, 255, 128, 4],
  [254 / 255, 255, 252, 252],
  [1, 255, 255, 255],
  [9, 255, 255, 255],
])('hot iron: %d of the window is %i, %i, %i', (part, ...expected) => {
  expect(hotIron(part)).toEqual(expected);
});

test('places without uptake, and those outside, are clear; a tenth of the window covers', () => {
  const pixels = overlayPixels(Float32Array.of(NaN, 0, -3, 0.5, 1, 10), 10);
  const opacities = Array.from({ length: 6 }, (_, at) => pixels[4 * at + 3]);
  expect(opacities).toEqual([0, 0, 0, 128, 255, 255]);
  expect([...pixels.slice(-4)]).toEqual([255, 255, 255, 255]);
});
