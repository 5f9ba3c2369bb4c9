import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { describeWithSharedData, sharedDataPath } from '../../../../gateway/test/setup/shared-data.ts';
import type { Instance } from '../instance.ts';
import { inlineBytes } from './inline-bytes.ts';
import { pathOf } from './trace.ts';
import { distanceOf, extremesOf, notesOf, readRecording, samplesOf } from './waveform.ts';

const channel = (rest: Instance = {}): Instance => ({
  '003A0203': { vr: 'SH', Value: ['Lead II (Einthoven)'] },
  '003A0210': { vr: 'DS', Value: ['2.5'] },
  '003A0211': { vr: 'SQ', Value: [{ '00080100': { vr: 'SH', Value: ['uV'] } }] },
  ...rest,
});

/** A multiplex group of so many channels. */
function group(interpretation: string, channels: readonly Instance[], rest: Instance = {}): Instance {
  return {
    '54000100': {
      vr: 'SQ',
      Value: [
        {
          '003A0005': { vr: 'US', Value: [channels.length] },
          '003A0010': { vr: 'UL', Value: [2] },
          '003A001A': { vr: 'DS', Value: ['500'] },
          '003A0200': { vr: 'SQ', Value: channels },
          '54001006': { vr: 'CS', Value: [interpretation] },
          ...rest,
        },
      ],
    },
  };
}

describe('samples', () => {
  test.each<[string, Uint8Array, number[]]>([
    ['SB', Uint8Array.of(0x80, 0x7f), [-128, 127]],
    ['UB', Uint8Array.of(0x80, 0x7f), [128, 127]],
    ['SS', Uint8Array.of(0x00, 0x80, 0xff, 0x7f), [-32768, 32767]],
    ['US', Uint8Array.of(0x00, 0x80, 0x02, 0x01), [32768, 258]],
    ['SL', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0), [-1, 1]],
    ['UL', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0), [4294967295, 1]],
  ])('%s', (interpretation, bytes, expected) => {
    const recording = readRecording(group(interpretation, [{}]), 0, bytes)!;
    expect([...recording.channels[0]!.values]).toEqual(expected);
  });

  test('of several channels alternate; sensitivity, correction and baseline give the value', () => {
    const corrected = channel({
      '003A0212': { vr: 'DS', Value: ['2'] },
      '003A0213': { vr: 'DS', Value: ['-10'] },
    });
    const bytes = new Uint8Array(Int16Array.of(1, 100, -1, 200).buffer);
    const recording = readRecording(group('SS', [channel(), corrected]), 0, bytes)!;
    expect(recording).toMatchObject({ frequency: 500, count: 2 });
    expect(recording.channels.map(({ values }) => [...values])).toEqual([
      [2.5, -2.5],
      [490, 990],
    ]);
    expect(recording.channels[0]).toMatchObject({ label: 'II', unit: 'uV' });
  });

  test('that are padding are gaps, also where the address of the bytes is odd', () => {
    const padding = { '5400100A': { vr: 'OW', InlineBinary: btoa('\x00\x80') } };
    const bytes = new Uint8Array([9, 0x00, 0x80, 1, 0]).subarray(1);
    const [only] = readRecording(group('SS', [channel()], padding), 0, bytes)!.channels;
    expect([...only!.values]).toEqual([NaN, 2.5]);
    expect(extremesOf(only!.values)).toEqual([2.5, 2.5]);
  });

  test('that are cut off are left out', () => {
    expect(readRecording(group('SS', [channel()]), 0, new Uint8Array(3))!.count).toBe(1);
  });

  test.each<[string, Instance]>([
    ['compressed sound', group('MB', [{}])],
    ['no frequency', group('SS', [{}], { '003A001A': { vr: 'DS' } })],
    ['no channels', group('SS', [])],
    ['no group', {}],
  ])('%s: not drawn', (_name, instance) => {
    expect(readRecording(instance, 0, new Uint8Array(8))).toBeUndefined();
  });

  test('no bytes: not drawn', () => {
    expect(readRecording(group('SS', [{}]), 0, new Uint8Array())).toBeUndefined();
  });
});

test('filters are named; zero is none', () => {
  const filtered = channel({
    '003A0220': { vr: 'DS', Value: ['0.05'] },
    '003A0221': { vr: 'DS', Value: ['150'] },
    '003A0222': { vr: 'DS', Value: ['0'] },
  });
  const [only] = readRecording(group('SS', [filtered]), 0, new Uint8Array(4))!.channels;
  expect(only!.filter).toEqual({ low: 0.05, high: 150 });
});

test.each<[[number, number], unknown]>([
  [[0, 2], { milliseconds: 1000, difference: 3, perMinute: 60 }],
  [[2, 0], { milliseconds: 1000, difference: 3, perMinute: 60 }],
  [[1, 2], { milliseconds: 500, difference: -1, perMinute: 120 }],
  [[1, 1], { milliseconds: 0, difference: 0 }],
])('distance of %j', (moments, expected) => {
  const values = Float64Array.of(1, 5, 4);
  expect(distanceOf({ unit: 'mV', values, filter: {} }, 2, moments)).toEqual(expected);
});

test.each<[string, number[], number, string]>([
  ['a line', [0, 1, 0], 1, 'M0 10L1 9L2 10'],
  ['a gap', [0, 1, NaN, 2, 1], 1, 'M0 10L1 9M3 8L4 9'],
  ['peaks where samples are dense', [0, 0, 7, -3, 0, 0, 1, 1], 0.05, 'M0.1 3L0.15 13L0.2 10L0.3 9'],
  ['nothing', [], 1, ''],
])('%s is drawn', (_name, values, step, expected) => {
  expect(pathOf(Float64Array.from(values), { step, scale: 1, zero: 10, middle: 0 })).toBe(expected);
});

describeWithSharedData('a real electrocardiogram', () => {
  const file = sharedDataPath('dicom/ecg/waveform_ecg.dcm');
  const instance = JSON.parse(
    execFileSync('dcm2json', [file], { encoding: 'utf8', maxBuffer: 1e8 }),
  ) as Instance;
  const bytes = samplesOf(instance).map((data) => inlineBytes(data?.InlineBinary ?? '')!);

  test('has ten seconds of rhythm and a median beat, whose limb leads agree', () => {
    const [rhythm, beat] = bytes.map((one, at) => readRecording(instance, at, one)!);
    expect(rhythm).toMatchObject({ label: 'RHYTHM', frequency: 1000, count: 10_000 });
    expect(beat).toMatchObject({ label: 'MEDIAN BEAT', frequency: 1000, count: 1200 });
    expect(rhythm!.channels.map(({ label }) => label).join()).toBe('I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6');
    const [one, two, three] = rhythm!.channels;
    for (let at = 0; at < 10_000; at += 97) {
      // Einthoven: II = I + III, as far as samples of 1.25 µV can say it.
      expect(Math.abs(one!.values[at]! + three!.values[at]! - two!.values[at]!)).toBeLessThanOrEqual(5);
    }
    expect(one).toMatchObject({ unit: 'uV', filter: { low: 0.05, high: 300 } });
  });

  test('has the notes of the device', () => {
    const notes = notesOf(instance);
    expect(notes.slice(0, 2).map(({ text }) => text)).toEqual(['RITMO SINUSALE', 'ECG NORMALE']);
    expect(notes.find(({ name }) => name?.meaning === 'RR Interval')).toMatchObject({
      text: '982',
      unit: 'ms',
    });
  });
});
