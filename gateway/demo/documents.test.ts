import dicomParser, { type DataSet } from 'dicom-parser';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALL_DEMO_IMAGES } from '../test/setup/demo-images.ts';
import { NODULE, SIZE, SPACING } from './chest-anatomy.ts';
import { FREQUENCY, SENSITIVITY } from './electrocardiogram.ts';
import { pdfDocument } from './encapsulated-pdf.ts';
import { demographicsById, patientBundles, reportText } from './patients.ts';
import { studyUid } from './stories.ts';
import { TEST_OBJECT } from './test-object.ts';

const path = (study: string, series: number, instance = 1) =>
  join(ALL_DEMO_IMAGES, study, `series-${series}`, `${String(instance).padStart(4, '0')}.dcm`);
const HEART = 'whitfield-us-heart-2026';
const ECG = path(HEART, 2);
const PDF = path(HEART, 900);
const OBJECT = path('castellanos-ct-chest-2025', 99);
const STATE = path('castellanos-ct-chest-2026', 902);
const KEY_IMAGES = path('castellanos-ct-chest-2026', 903);
const SEGMENTATION = path('castellanos-ct-chest-2026', 800);
const read = (file: string): DataSet => dicomParser.parseDicom(readFileSync(file));

/** Of Debian's dicom3tools. */
const VALIDATOR = '/usr/bin/dciodvfy';

test.each([ECG, PDF, OBJECT, SEGMENTATION, STATE, KEY_IMAGES])('%s is valid for dciodvfy', (file) => {
  const complaints = execFileSync('sh', ['-c', `${VALIDATOR} "$0" 2>&1`, file], { encoding: 'utf8' });
  expect(complaints.split('\n').filter((line) => /^(Error|Warning)/.test(line))).toEqual([]);
});

describe('the electrocardiogram', () => {
  const group = read(ECG).elements['x54000100']!.items![0]!.dataSet!;
  const count = group.uint32('x003a0010')!;
  /** Returns the voltages of a lead in µV. */
  const lead = (channel: number) => {
    const { dataOffset } = group.elements['x54001010']!;
    const view = new DataView(group.byteArray.buffer, group.byteArray.byteOffset + dataOffset);
    return Array.from({ length: count }, (_, n) => SENSITIVITY * view.getInt16(2 * (12 * n + channel), true));
  };

  test('has ten seconds of twelve leads, of which those of the limbs agree', () => {
    expect(group.floatString('x003a001a')).toBe(FREQUENCY);
    expect([count, group.uint16('x003a0005')]).toEqual([10 * FREQUENCY, 12]);
    expect(group.elements['x54001010']!.length).toBe(count * 12 * 2);
    const names = group.elements['x003a0200']!.items!.map(({ dataSet }) => dataSet!.string('x003a0203'));
    expect(names.join()).toBe('I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6');
    const [one, two, three, right] = [lead(0), lead(1), lead(2), lead(3)];
    for (let n = 0; n < count; n += 7) {
      expect(Math.abs(one[n]! + three[n]! - two[n]!)).toBeLessThanOrEqual(2 * SENSITIVITY);
      expect(Math.abs(right[n]! + (one[n]! + two[n]!) / 2)).toBeLessThanOrEqual(2 * SENSITIVITY);
    }
  });

  test('beats 72 times a minute', () => {
    const two = lead(1);
    const beats = two.flatMap((value, n) =>
      value > 700 && value > two[n - 1]! && value >= two[n + 1]! ? [n] : [],
    );
    const intervals = beats.slice(1).map((at, n) => (at - beats[n]!) / FREQUENCY);
    for (const interval of intervals) expect(60 / interval).toBeCloseTo(72, 0);
    expect(beats).toHaveLength(12);
  });
});

describe('the report as PDF', () => {
  const dataset = read(PDF);
  const { dataOffset } = dataset.elements['x00420011']!;
  const bytes = Buffer.from(dataset.byteArray).subarray(
    dataOffset,
    dataOffset + dataset.uint32('x00420015')!,
  );

  test('has the text of the report in the record', () => {
    const patient = demographicsById(patientBundles()).get('demo-george-whitfield')!;
    const who = `${patient.name.replaceAll('^', ' ')}, born ${patient.birthDate}, ${patient.patientId}`;
    const text = `${who}\n\n${reportText(patientBundles(), studyUid(HEART))}`;
    expect(bytes.equals(pdfDocument('Echocardiography report', text))).toBe(true);
    const shown = [...bytes.toString('latin1').matchAll(/T\* \((.*)\) Tj/g)]
      .map(([, line]) => line)
      .join(' ');
    const words = (value: string) => value.replaceAll('\\', '').split(/\s+/).filter(Boolean);
    expect(words(shown)).toEqual(words(text.replaceAll('–', '-')));
  });

  test('has a table with the position of each object', () => {
    const pdf = bytes.toString('latin1');
    const table = Number(/startxref\n(\d+)\n%%EOF\n$/.exec(pdf)?.[1]);
    expect(pdf.slice(table, table + 4)).toBe('xref');
    const positions = [...pdf.slice(table).matchAll(/^(\d{10}) 00000 n $/gm)].map(([, at]) => Number(at));
    expect(positions).toHaveLength(7);
    for (const [n, at] of positions.entries()) expect(pdf.slice(at)).toMatch(new RegExp(`^${n + 1} 0 obj`));
    const [, length] = /\/Length (\d+)/.exec(pdf)!;
    expect(/stream\n([^]*?)\nendstream/.exec(pdf)![1]).toHaveLength(Number(length));
  });
});

test('the presentation state has its circle round the nodule, in the part of the image that it shows', () => {
  const dataset = read(STATE);
  const [annotation] = dataset.elements['x00700001']!.items!;
  const [graphic] = annotation!.dataSet!.elements['x00700009']!.items!;
  const [x, y, edge] = [0, 1, 2].map((index) => graphic!.dataSet!.float('x00700022', index)!);
  // From 0/0, the outer corner of the first pixel, to the middle of the phantom.
  expect((x! - SIZE / 2) * SPACING).toBeCloseTo(NODULE.x, 3);
  expect((y! - SIZE / 2) * SPACING).toBeCloseTo(NODULE.y, 3);
  expect((edge! - x!) * SPACING).toBeGreaterThan(9 / 2);
  const [area] = dataset.elements['x0070005a']!.items!;
  const corner = (tag: string) => [0, 1].map((index) => area!.dataSet!.int32(tag, index)!);
  const [from, to] = [corner('x00700052'), corner('x00700053')];
  for (const [axis, middle] of [x!, y!].entries())
    expect(Math.abs((from[axis]! + to[axis]!) / 2 - middle)).toBeLessThanOrEqual(1);
});

test('the test object has its rods and its bar at the stated distances', () => {
  const dataset = read(OBJECT);
  const { size, spacing, rods, side, bar } = TEST_OBJECT;
  expect(dataset.string('x00280030')).toBe(`${spacing}\\${spacing}`);
  expect((rods.second - rods.first) * spacing).toBe(side);
  expect((bar.columns[1] + 1 - bar.columns[0]) * spacing).toBe(40);
  const hu = (column: number, row: number) => dataset.int16('x7fe00010', row * size + column)! - 1024;
  const corners = [rods.first, rods.second].flatMap((row) =>
    [rods.first, rods.second].map((column) => hu(column, row)),
  );
  expect(corners).toEqual([1000, 800, 600, 700]);
  const middle = (size >> 1) - 1;
  const inBar = Array.from({ length: size }, (_, column) => column).filter((x) => hu(x, middle) === 400);
  expect([inBar[0], inBar.at(-1), inBar.length]).toEqual([...bar.columns, 80]);
  expect([hu(0, 0), hu(128, 100)]).toEqual([-1000, 0]);
});
