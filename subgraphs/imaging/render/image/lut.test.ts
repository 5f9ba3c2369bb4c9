import { expect, test } from 'vitest';
import type { DicomElement, DicomJson } from '../../../../schema/dicom/dicom.ts';
import { lookUp, lookupTable, palette } from './lut.ts';
import { processorTime } from '../../../../gateway/test/setup/processor-time.ts';

const us = (...Value: number[]): DicomElement => ({ vr: 'US', Value });
const bytes = (...values: number[]): DicomElement => inline(Buffer.from(values));
const words = (...values: number[]): DicomElement => inline(Uint16Array.from(values));
const inline = (values: Uint8Array | Uint16Array): DicomElement => ({
  vr: 'OW',
  InlineBinary: Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64'),
});

test('DW-8 tables: values before the first and after the last', () => {
  const table = lookupTable(us(3, 10, 16), words(7, 300, 65535), false)!;
  expect([0, 10, 11, 12, 4000].map((value) => lookUp(table, value))).toEqual([7, 7, 300, 65535, 65535]);
});

test('DW-8 tables: zero entries mean 65,536, also if a writer used SS for US', () => {
  const data = inline(new Uint16Array(65536).fill(1000));
  expect(lookupTable(us(0, 0, 16), data, false)!.entries.length).toBe(65536);
  expect(lookupTable({ vr: 'SS', Value: [-6, 0, 16] }, data, false)!.entries.length).toBe(65530);
});

test('DW-8 tables: eight bits, two to a word or one', () => {
  expect([...lookupTable(us(4, 0, 8), bytes(1, 2, 3, 4), false)!.entries]).toEqual([1, 2, 3, 4]);
  expect([...lookupTable(us(4, 0, 8), words(1, 2, 3, 4), false)!.entries]).toEqual([1, 2, 3, 4]);
});

test.each<[name: string, DicomElement | undefined, DicomElement | undefined]>([
  ['no descriptor', undefined, words(1)],
  ['half a descriptor', us(3, 0), words(1)],
  ['no data', us(3, 0, 8), undefined],
  ['empty data', us(3, 0, 8), { vr: 'OW' }],
])('DW-8 tables: %s is not a table', (_, descriptor, data) => {
  expect(lookupTable(descriptor, data, false)).toBeUndefined();
});

// PS3.3 §C.7.9.2: discrete (0, n, values…), linear (1, n, end), indirect (2, segments, offset low, offset high).
test.each<[name: string, count: number, data: number[], entries: number[]]>([
  ['discrete', 3, [0, 3, 5, 7, 9], [5, 7, 9]],
  ['linear from the entry before', 5, [0, 1, 100, 1, 4, 500], [100, 200, 300, 400, 500]],
  ['falling', 3, [0, 1, 100, 1, 2, 0], [100, 50, 0]],
  // Repeats the segment at byte 0: one discrete entry.
  ['indirect', 4, [0, 1, 10, 1, 2, 30, 2, 1, 0, 0], [10, 20, 30, 10]],
  ['indirect to two segments', 6, [0, 1, 10, 1, 2, 30, 2, 2, 0, 0], [10, 20, 30, 10, 20, 30]],
  ['cut off', 8, [0, 9, 5, 7], [5, 7]],
  ['indirect to itself', 4, [2, 1, 0, 0], []],
  ['unknown', 4, [0, 1, 3, 7, 7], [3]],
])('DW-8 segmented tables: %s', (_, count, data, entries) => {
  const table = lookupTable(us(count, 0, 16), words(...data), false, true);
  expect([...(table?.entries ?? [])]).toEqual(entries);
});

test('DW-8 segmented tables: endless repetitions, and more entries than are possible', async () => {
  const read = () => {
    const repeating = inline(Uint16Array.from({ length: 400_000 }, (_, i) => [2, 0xffff, 0, 0][i % 4]!));
    expect(lookupTable(us(0, 0, 16), repeating, false, true)).toBeUndefined();
    const growing = inline(Uint16Array.from({ length: 6000 }, (_, i) => [1, 0xffff, 5][i % 3]!));
    expect(lookupTable(us(5e7, 0, 16), growing, false, true)).toBeUndefined();
  };
  expect(await processorTime(read)).toBeLessThan(10_000);
});

test('DW-8 segmented tables of eight bits: offsets are four bytes', () => {
  const data = bytes(0, 2, 1, 2, 2, 1, 0, 0, 0, 0);
  expect([...lookupTable(us(4, 0, 8), data, false, true)!.entries]).toEqual([1, 2, 1, 2]);
});

test('DW-8 reduces palettes to eight bits: the upper eight of sixteen, all if only eight are used', () => {
  const attributes: DicomJson = {
    '00281101': us(2, 0, 16),
    '00281102': us(2, 0, 16),
    '00281103': us(2, 0, 8),
    '00281201': words(0x1234, 0xff00),
    '00281202': words(0x12, 0xff),
    '00281203': bytes(7, 8),
  };
  const colours = palette(attributes)!.map((table) => [0, 1].map((value) => lookUp(table, value)));
  expect(colours).toEqual([
    [0x12, 0xff],
    [0x12, 0xff],
    [7, 8],
  ]);
});

test('DW-8 ignores a palette without all three colours', () => {
  expect(palette({ '00281101': us(1, 0, 8), '00281201': bytes(7) })).toBeUndefined();
});
