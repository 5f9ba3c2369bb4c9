import { expect, test } from 'vitest';
import type { DicomJson } from '../../../../schema/dicom/dicom.ts';
import { modality, ownWindow, voiLut, windowed, type WindowFunction } from './window.ts';

/** Makes attributes of plain values: the tests read no VR. */
function attributes(values: Record<string, unknown[]>): DicomJson {
  return Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'DS', Value }]));
}

// The examples of PS3.3 §C.11.2.1.2.1: c=2048, w=4096 maps 0…4095 onto the whole range; c=2048, w=1 is a threshold.
test.each<[center: number, width: number, shape: WindowFunction, value: number, shade: number]>([
  [2048, 4096, 'linear', 0, 0],
  [2048, 4096, 'linear', 4095, 255],
  [2048, 4096, 'linear', 2047.5, 127.5],
  [2048, 1, 'linear', 2047, 0],
  [2048, 1, 'linear', 2048, 255],
  [0, 100, 'linear', -50, 0],
  [0, 100, 'linear', 49, 255],
  [0, 100, 'linear', -0.5, 127.5],
  // §C.11.2.1.3.2: c=0, w=100 is -50 to 50.
  [0, 100, 'linear-exact', -50, 0],
  [0, 100, 'linear-exact', 50, 255],
  [0, 100, 'linear-exact', 0, 127.5],
  [0, 100, 'linear-exact', 25, 191.25],
  // §C.11.2.1.3.1: 1/(1+e^(-4(x-c)/w)); at c + w/4 it is 1/(1+e^-1).
  [40, 400, 'sigmoid', 40, 127.5],
  [40, 400, 'sigmoid', 140, 186.42],
  [40, 400, 'sigmoid', -60, 68.58],
])('DW-8 window %d,%d,%s of %d', (center, width, shape, value, shade) => {
  expect(windowed({ center, width, shape })(value)).toBeCloseTo(shade, 1);
});

test.each<[name: string, Record<string, unknown[]>, unknown]>([
  ['the first of several', { '00281050': [40, 600], '00281051': [400, 2000] }, [40, 400, 'linear']],
  ['one of zero width is skipped', { '00281050': [0, 600], '00281051': [0, 2000] }, [600, 2000, 'linear']],
  ['a sigmoid', { '00281050': [40], '00281051': [400], '00281056': ['SIGMOID'] }, [40, 400, 'sigmoid']],
  [
    'an exact one below 1',
    { '00281050': [0.4], '00281051': [0.5], '00281056': ['LINEAR_EXACT'] },
    [0.4, 0.5, 'linear-exact'],
  ],
  ['a centre alone', { '00281050': [40] }, undefined],
  ['nothing', {}, undefined],
])("DW-8 the object's own window: %s", (_, values, expected) => {
  const window = ownWindow(attributes(values));
  expect(window && [window.center, window.width, window.shape]).toEqual(expected);
});

const lut = (descriptor: number[], data: number[]) => ({
  '00283002': { vr: 'US', Value: descriptor },
  '00283006': { vr: 'US', Value: data },
});

test('DW-8 a VOI LUT scales its entries by its bits, and repeats the first and last beyond its range', () => {
  const voi = voiLut({ '00283010': { vr: 'SQ', Value: [lut([3, 100, 12], [0, 819, 4095])] } }, false)!;
  expect([50, 100, 101, 102, 900].map(voi)).toEqual([0, 0, 51, 255, 255]);
});

test('DW-8 the first value of a table over signed values is signed', () => {
  // 65,526 is -10 in sixteen bits.
  const voi = voiLut({ '00283010': { vr: 'SQ', Value: [lut([2, 65526, 8], [0, 255])] } }, true)!;
  expect([-11, -10, -9].map(voi)).toEqual([0, 0, 255]);
});

test('DW-8 a modality LUT takes precedence over a rescale', () => {
  const sequence = { vr: 'SQ', Value: [lut([3, 0, 16], [100, 200, 1000])] };
  const transform = modality({ ...attributes({ '00281053': [2] }), '00283000': sequence }, false)!;
  expect([0, 1, 2, 3].map(transform)).toEqual([100, 200, 1000, 1000]);
});

test.each<[name: string, Record<string, unknown[]>, unknown]>([
  ['rescale', { '00281053': [2], '00281052': [-1024] }, -824],
  ['dose grid scaling', { '3004000E': [0.01] }, 1],
  ['a slope of zero', { '00281053': [0], '00281052': [5] }, undefined],
  ['identity', { '00281053': [1], '00281052': [0] }, undefined],
])('DW-8 transforms 100 by %s', (_, values, expected) => {
  expect(modality(attributes(values), false)?.(100)).toBe(expected);
});
