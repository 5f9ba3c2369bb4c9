import { expect, test } from 'vitest';
import { authorship, CT, KEYED, MEASURED, measured, NUMBERLESS, ON_CT } from '../../../test/setup/marks.ts';
import { treeOf } from '../../../test/setup/content-tree.ts';
import { readPart10 } from '../dicom/part10-reader.ts';
import { writePart10 } from '../dicom/part10.ts';
import { text, type Instance } from '../instance.ts';
import { sizeOf } from '../measure/sizes.ts';
import type { ImagePoint } from '../space/geometry.ts';
import { contentOf } from '../../../test/setup/read-overlay.ts';
import { reportRegions } from '../overlays/sr-coordinates.ts';
import { isOurs, uidOf, uuidOf } from './document.ts';
import { keyImagesIn, selectionOf } from './key-selection.ts';
import { measurementsIn, reportOf } from './measurement-report.ts';

const written = (instance: Instance): Instance => {
  const reading = readPart10(writePart10(instance));
  if ('refused' in reading) throw new Error(reading.refused);
  return reading.instance;
};

test('a report has the content of TID 1500 and 1501', () => {
  const report = reportOf(MEASURED.slice(0, 2), authorship('Ana García'))!;
  const on = (kind: string, values: string) => [
    `INFERRED FROM SCOORD ${kind} ${values}`,
    '. SELECTED FROM IMAGE 1.2.20.1.5',
  ];
  const uid = (at: 0 | 1) => uidOf(MEASURED[at]!.measurement.id);
  expect(treeOf(written(report))).toEqual([
    'CONTAINER DCM 126000 (DCMR 1500)',
    'HAS CONCEPT MOD CODE DCM 121049 = RFC5646 en',
    'HAS OBS CONTEXT CODE DCM 121005 = DCM 121006',
    'HAS OBS CONTEXT PNAME DCM 121008 = Ana García^',
    'HAS CONCEPT MOD CODE DCM 121058 = SCT 363679005',
    'CONTAINS CONTAINER DCM 111028',
    '. CONTAINS CONTAINER DCM 126200',
    '. . CONTAINS IMAGE 1.2.20.1.5',
    'CONTAINS CONTAINER DCM 126010',
    '. CONTAINS CONTAINER DCM 125007 (DCMR 1501)',
    '. . HAS OBS CONTEXT TEXT DCM 112039 = Length 1',
    `. . HAS OBS CONTEXT UIDREF DCM 112040 = ${uid(0)}`,
    '. . CONTAINS NUM SCT 410668003 = 35 mm',
    ...on('POLYLINE', '100.5 100.5 130.5 140.5').map((one) => `. . . ${one}`),
    '. CONTAINS CONTAINER DCM 125007 (DCMR 1501)',
    '. . HAS OBS CONTEXT TEXT DCM 112039 = Diameters 2',
    `. . HAS OBS CONTEXT UIDREF DCM 112040 = ${uid(1)}`,
    '. . CONTAINS NUM SCT 103339001 = 42 mm',
    ...on('POLYLINE', '210.5 170.5 210.5 230.5').map((one) => `. . . ${one}`),
    '. . CONTAINS NUM SCT 103340004 = 14 mm',
    ...on('POLYLINE', '200.5 200.5 220.5 200.5').map((one) => `. . . ${one}`),
  ]);
  expect(text(report, '0040A491')).toBe('PARTIAL');
  expect(text(report, '0040A493')).toBe('UNVERIFIED');
  expect(report).not.toHaveProperty('00200060');
});

test('without a name the program has observed, and the procedure is that of the images', () => {
  const procedure = {
    '00080100': { vr: 'SH', Value: ['29252-6'] },
    '00080102': { vr: 'SH', Value: ['LN'] },
    '00080104': { vr: 'LO', Value: ['CT Chest WO contrast'] },
  };
  const metadata = { ...CT, '00081032': { vr: 'SQ', Value: [procedure] } };
  const tree = treeOf(reportOf([{ ...MEASURED[0]!, metadata }], authorship())!);
  expect(tree.slice(2, 6)).toEqual([
    'HAS OBS CONTEXT CODE DCM 121005 = DCM 121007',
    expect.stringMatching(/^HAS OBS CONTEXT UIDREF DCM 121012 = 2\.25\./),
    'HAS OBS CONTEXT TEXT DCM 121013 = SMART Imaging Gateway, Viewer',
    'HAS CONCEPT MOD CODE DCM 121058 = LN 29252-6',
  ]);
});

/** What a measurement of each kind says, by its place in `MEASURED`. */
test.each<[kind: string, at: number, lines: readonly string[]]>([
  ['angle', 2, ['NUM SCT 1483009 = 90 deg', 'POLYLINE 100.5 300.5 200.5 300.5 200.5 200.5']],
  [
    'rectangle',
    3,
    [
      'NUM SCT 42798000 = 391.9', // 19.75 × 40.5 pixels of 0.49 mm²
      'POLYLINE 300.75 300.5 320.5 300.5 320.5 341 300.75 341 300.75 300.5',
      'NUM DCM 112031 = 35.25 [hnsf',
      'CODE DCM 121401 = SCT 373098007',
      'NUM DCM 112031 = 12.5 [hnsf',
      'CODE DCM 121401 = SCT 386136009',
      'NUM DCM 112031 = -20 [hnsf',
      'CODE DCM 121401 = SCT 255605001',
      'NUM DCM 112031 = 88 [hnsf',
      'CODE DCM 121401 = SCT 56851009',
      'NUM 99SIG pixel-count = 1234 {pixels}',
    ],
  ],
  [
    'ellipse',
    4,
    [
      'NUM SCT 42798000 = 307.8',
      'ELLIPSE 50.5 70.5 90.5 70.5 70.5 60.5 70.5 80.5',
      'NUM 99SIG pixel-value = 35.25 1',
    ],
  ],
  [
    'freehand',
    5,
    ['NUM SCT 42798000 = ', 'POLYLINE 400.5 400.5 450.5 400.5 450.5 430.5 420.5 460.5 400.5 400.5'],
  ],
  ['probe', 6, ["NUM DCM 112031 = -812 [hnsf'U]", 'POINT 256.5 256.5']],
  ['arrow', 7, ['TEXT DCM 121106 = Nódulo: ¿vaso? \\ 😀 ^ =', 'POLYLINE 150.5 150.5 180.5 130.5']],
  ['length without a scale', 9, ['NUM SCT 410668003 = 5 {pixels}', 'IMAGE 1.2.20.2.1 frame 7']],
  ['area without a scale', 10, ['NUM SCT 42798000 = 200 {pixels}']],
])('%s', (_kind, at, lines) => {
  const tree = treeOf(written(reportOf([MEASURED[at]!], authorship())!)).join('\n');
  for (const line of lines) expect(tree).toContain(line);
});

test('a Cobb angle is one number on two lines, and is read again', () => {
  const points: ImagePoint[] = [[10, 10], [60, 20], [12, 90], [62, 70]]; // prettier-ignore
  const report = written(reportOf([measured('cobb', points)], authorship())!);
  const lines = treeOf(report);
  expect(lines.filter((line) => line.includes('NUM'))).toEqual([
    expect.stringContaining('SCT 1483009 = 33.1'),
  ]);
  expect(lines.filter((line) => line.includes('POLYLINE'))).toEqual([
    expect.stringContaining('POLYLINE 10.5 10.5 60.5 20.5'),
    expect.stringContaining('POLYLINE 12.5 90.5 62.5 70.5'),
  ]);
  expect(measurementsIn(report)).toMatchObject([{ kind: 'cobb', points }]);
});

test('measurements without a number are left out, and alone make no report', () => {
  expect(reportOf(NUMBERLESS, authorship())).toBeUndefined();
  const tree = treeOf(reportOf([...NUMBERLESS, MEASURED[0]!], authorship())!);
  expect(tree.filter((line) => line.includes('125007'))).toHaveLength(1);
});

test('what is written is read again: the same kinds, points, values and notes in the same order', () => {
  const report = written(reportOf(MEASURED, authorship())!);
  expect(isOurs(report)).toBe(true);
  const restored = measurementsIn(report);
  expect(restored.map(({ id }) => id)).toEqual(MEASURED.map(({ measurement }) => measurement.id));
  for (const [at, { measurement, image, metadata }] of MEASURED.entries()) {
    const { kind, points, image: on, values, note } = restored[at]!;
    expect([kind, on, note]).toEqual([measurement.kind, image, measurement.note]);
    // Of a value that is none only the reason is lost.
    const isValue = measurement.values !== undefined && !('none' in measurement.values);
    expect(values).toEqual(isValue ? measurement.values : undefined);
    const [size, before] = [sizeOf(kind, points, metadata), measurement.size];
    expect(size?.what).toBe(before?.what);
    if (size && before) expect(Math.abs(size.value - before.value)).toBeLessThan(0.01);
    if (size?.what === 'diameters' && before?.what === 'diameters')
      expect(Math.abs(size.short - before.short)).toBeLessThan(0.01);
  }
});

test('groups that are not as they are written here are left out, and nothing throws', () => {
  const report = reportOf([measured('length', [[1, 2], [3, 4]])], authorship())!; // prettier-ignore
  const changed = (from: string, to: string) =>
    measurementsIn(JSON.parse(JSON.stringify(report).replace(from, to)) as Instance);
  expect(changed('Length 1', 'Length 1')).toHaveLength(1);
  expect(changed('Length 1', 'Volume 1')).toEqual([]);
  expect(changed('Length 1', 'Angle 1')).toEqual([]);
  expect(changed('[1.5,2.5,', '["x",2.5,')).toEqual([]);
  expect(changed('2.25.', '1.2.')).toHaveLength(1);
  expect(measurementsIn({})).toEqual([]);
});

test('the report is drawn as that of an archive would be', () => {
  const content = contentOf(reportRegions, written(reportOf(MEASURED, authorship())!));
  expect(content.parts).toHaveLength(MEASURED.length);
  expect(content.undone).toEqual([]);
  const target = {
    id: '',
    instance: ON_CT.instance,
    frame: 1,
    metadata: CT,
    rectangle: undefined,
    halfSlice: 1,
  };
  expect(content.shapesOn(target, content.parts[0]!)).toEqual([
    { kind: 'line', points: [[100, 100], [130, 140]], filled: false }, // prettier-ignore
    { kind: 'label', text: expect.stringContaining('35') as string, of: [[100, 100], [130, 140]] }, // prettier-ignore
  ]);
});

test('a selection has the content of TID 2010, in the order of the person, and is read again', () => {
  const selection = written(selectionOf(KEYED, authorship('A^B\\C=D')));
  const tree = treeOf(selection);
  expect(tree.filter((line) => !line.includes('113012'))).toEqual([
    'CONTAINER DCM 113000 (DCMR 2010)',
    'HAS CONCEPT MOD CODE DCM 121049 = RFC5646 en',
    'HAS OBS CONTEXT CODE DCM 121005 = DCM 121006',
    'HAS OBS CONTEXT PNAME DCM 121008 = A B C D^',
    'CONTAINS IMAGE 1.2.20.2.1 frame 7',
    'CONTAINS IMAGE 1.2.20.1.5',
    'CONTAINS IMAGE 1.2.20.2.1 frame 12',
  ]);
  expect(selection).not.toHaveProperty('00200060');
  expect(keyImagesIn(selection)).toEqual(
    KEYED.map(({ key: { image, title, comment } }) => ({
      image,
      title,
      comment: comment.replace('\t', ' '),
    })),
  );
});

test('500 key images keep their order', () => {
  const many = Array.from({ length: 500 }, (_, at) => {
    const image = { ...ON_CT, instance: `1.2.20.1.${1000 - at}` };
    return { ...KEYED[1]!, image, key: { ...KEYED[1]!.key, image, title: `Image ${at}` } };
  });
  const read = keyImagesIn(written(selectionOf(many, authorship())));
  expect(read.map(({ image, title }) => [image.instance, title])).toEqual(
    many.map(({ image, key }) => [image.instance, key.title]),
  );
});

test('a UUID becomes a UID and comes back; other UIDs have none', () => {
  const uuid = '00000000-0000-4000-8000-0000000000ff';
  expect(uuidOf(uidOf(uuid))).toBe(uuid);
  expect(uuidOf('1.2.3')).toBeUndefined();
  expect(uuidOf(`2.25.${'9'.repeat(39)}`)).toBeUndefined();
});
