import { expect, test } from 'vitest';
import { layOut } from './paper.ts';
import type { Recording } from './waveform.ts';

const recording = (unit: string, ...channels: number[][]): Recording => ({
  frequency: 100,
  count: channels[0]!.length,
  channels: channels.map((values) => ({ unit, values: Float64Array.from(values), filter: {} })),
});
const SCALE = { speed: 25, gain: 10, from: 0, to: 4 };

test.each<[string, Partial<typeof SCALE>, { step: number; width: number; path: string }]>([
  ['25 mm/s, 10 mm/mV', {}, { step: 0.25, width: 19, path: 'M0 16L0.25 6L0.5 21L0.75 16' }],
  ['50 mm/s', { speed: 50 }, { step: 0.5, width: 20, path: 'M0 16L0.5 6L1 21L1.5 16' }],
  ['20 mm/mV', { gain: 20 }, { step: 0.25, width: 19, path: 'M0 26L0.25 6L0.5 36L0.75 26' }],
  ['a part', { from: 1, to: 3 }, { step: 0.25, width: 19, path: 'M0 16L0.25 31' }],
])('an electrocardiogram at %s', (_name, changes, expected) => {
  const paper = layOut(recording('uV', [0, 1000, -500, 0]), { ...SCALE, ...changes });
  const path = changes.from === undefined ? expected.path : 'M0 6L0.25 21';
  expect(paper).toMatchObject({ step: expected.step, width: expected.width, left: 13 });
  expect(paper.rows[0]!.path).toBe(path);
});

test('a row is as tall as its lead, holds the calibration pulse, and does not grow without end', () => {
  const { rows, height } = layOut(recording('mV', [0, 0], [0, 3], [0, 900]), { ...SCALE, to: 2 });
  expect(rows.map(({ top, bottom }) => bottom - top)).toEqual([18.5, 38.5, 57.5]);
  expect(rows.map(({ top, zero }) => zero - top)).toEqual([11, 31, 50]);
  expect(rows[0]!.pulse).toBe('M5 16h1v-10h3v10h1');
  expect(height).toBe(Math.ceil(5 + 18.5 + 38.5 + 57.5 + 5));
});

test('what is no voltage fills its row, and says its range', () => {
  const [row] = layOut(recording('mm[Hg]', [80, 120]), { ...SCALE, to: 2 }).rows;
  expect(row).toMatchObject({ range: [80, 120], path: 'M0 21L0.25 6' });
  expect(row!.pulse).toBeUndefined();
});
