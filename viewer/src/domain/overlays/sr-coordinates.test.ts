import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { describeWithSharedData, sharedDataPath } from '../../../../gateway/test/setup/shared-data.ts';
import { items, of } from '../../../test/setup/overlay-objects.ts';
import type { Attribute, Instance } from '../instance.ts';
import type { Content, Shape } from './overlay.ts';
import { reportRegions } from './sr-coordinates.ts';
import type { Target } from './target.ts';

const code = (value: string, meaning: string): Attribute =>
  items({ '00080100': of('SH', value), '00080102': of('SH', 'DCM'), '00080104': of('LO', meaning) });
const content = (...all: Instance[]) => ({ '0040A730': items(...all) });
const item = (type: string, name: readonly [string, string], more: Instance = {}): Instance => ({
  '0040A040': of('CS', type),
  '0040A043': code(...name),
  ...more,
});
const group = (...all: Instance[]) => item('CONTAINER', ['125007', 'Measurement Group'], content(...all));
const tracking = (uid: string, name: string) => [
  item('TEXT', ['112039', 'Tracking Identifier'], { '0040A160': of('UT', name) }),
  item('UIDREF', ['112040', 'Tracking Unique Identifier'], { '0040A124': of('UI', uid) }),
];
const num = (name: string, value: string, ...below: Instance[]) =>
  item('NUM', ['1', name], {
    '0040A300': items({
      '0040A30A': of('DS', value),
      '004008EA': items({ '00080100': of('SH', 'mm'), '00080104': of('LO', 'millimeter') }),
    }),
    ...content(...below),
  });
const image = (instance: string, ...frames: number[]): Instance => ({
  '0040A040': of('CS', 'IMAGE'),
  '00081199': items({
    '00081155': of('UI', instance),
    ...(frames.length > 0 && { '00081160': of('IS', ...frames) }),
  }),
});
const region = (type: string, data: readonly number[], ...below: Instance[]) =>
  item('SCOORD', ['111030', 'Image Region'], {
    '00700023': of('CS', type),
    '00700022': of('FL', ...data),
    ...content(...below),
  });
const inSpace = (type: string, ...points: (readonly number[])[]) =>
  item('SCOORD3D', ['111030', 'Image Region'], {
    '00700023': of('CS', type),
    '00700022': of('FL', ...points.flat()),
    '30060024': of('UI', '7.7'),
  });
const report = (...all: Instance[]): Instance => ({
  '0040A040': of('CS', 'CONTAINER'),
  '0040A043': code('126000', 'Imaging Measurement Report'),
  ...content(item('CONTAINER', ['126010', 'Imaging Measurements'], content(...all))),
});

/** An axial slice of 100 × 100 pixels of 2 mm at a height, whose first pixel is at −100/−100. */
const target = (instance: string, z = 0, frame = 1): Target => ({
  id: `1/1/${instance}/${frame}`,
  instance,
  frame,
  metadata: {},
  halfSlice: 2.5,
  rectangle: {
    frameOfReference: '7.7',
    columns: 100,
    rows: 100,
    spacing: [2, 2],
    position: [-100, -100, z],
    row: [1, 0, 0],
    column: [0, 1, 0],
  },
});
function contentOf(one: Instance): Content {
  const reading = reportRegions.read(one, () => Promise.reject(new Error('no pixels')));
  if (reading instanceof Promise || 'refused' in reading) throw new Error('not read');
  return reading.content;
}
function shapesOn(one: Instance, on: Target): readonly Shape[] {
  const read = contentOf(one);
  return read.parts.flatMap((part) => read.shapesOn(on, part));
}

test('a region is drawn on its image, with what was measured of it as it is written', () => {
  const circle = region('CIRCLE', [10.5, 20.5, 13.5, 24.5], image('1.1'));
  const one = report(
    group(...tracking('2.1', 'Nodule 1'), num('Diameter', '10.0'), num('Depth', '3'), circle),
  );
  expect(shapesOn(one, target('1.1'))).toEqual([
    { kind: 'circle', centre: [10, 20], edge: [13, 24], filled: false },
    // The radius is 5: 3 across and 4 down.
    {
      kind: 'label',
      text: 'Nodule 1\nDiameter: 10.0 mm\nDepth: 3 mm',
      of: [[15, 20], [10, 25], [5, 20], [10, 15]], // prettier-ignore
    },
  ]);
  expect(shapesOn(one, target('1.2'))).toEqual([]);
  expect(contentOf(one).parts.map(({ id, name }) => [id, name])).toEqual([['2.1', 'Nodule 1']]);
});

test('a path below a number has the words of that number alone', () => {
  const path = region('POLYLINE', [0.5, 0.5, 4.5, 0.5], image('1.1', 2));
  const one = report(group(...tracking('2.1', 'Nodule 1'), num('Long', '9', path), num('Short', '7')));
  expect(shapesOn(one, target('1.1', 0, 1))).toEqual([]);
  expect(shapesOn(one, target('1.1', 0, 2))).toEqual([
    { kind: 'line', points: [[0, 0], [4, 0]], filled: false }, // prettier-ignore
    { kind: 'label', text: 'Long: 9 mm', of: [[0, 0], [4, 0]] }, // prettier-ignore
  ]);
});

test('groups with one tracking UID are one part, and have one colour in all reports', () => {
  const round = (image1: string) =>
    group(...tracking('2.1', 'Nodule 1'), num('Diameter', '9'), region('POINT', [1, 1], image(image1)));
  const first = contentOf(report(round('1.1'), round('1.2')));
  const next = contentOf(
    report(group(num('Other', '1'), region('POINT', [1, 1], image('3.1'))), round('3.1')),
  );
  expect(first.parts).toHaveLength(1);
  expect([...first.instances]).toEqual(['1.1', '1.2']);
  expect(next.parts.find(({ id }) => id === '2.1')!.colour).toEqual(first.parts[0]!.colour);
});

test('an image may be named by the position of its item', () => {
  const named: Instance = { '0040A010': of('CS', 'SELECTED FROM'), '0040DB73': of('UL', 1, 1, 1) };
  const one = report(image('1.1'), num('Length', '9', region('POINT', [1, 1], named)));
  expect(shapesOn(one, target('1.1'))[0]).toEqual({ kind: 'point', at: [0.5, 0.5] });
});

test.each<[string, Instance, number, readonly Shape[]]>([
  [
    // Millimetres from −100/−100, over 2.
    'a polygon in the plane',
    inSpace('POLYGON', [-100, -100, 1], [-80, -100, 1], [-80, -60, 1]),
    0,
    [{ kind: 'line', points: [[0, 0], [10, 0], [10, 20]], closed: true, filled: false }], // prettier-ignore
  ],
  ['a polygon of another slice', inSpace('POLYGON', [-100, -100, 1], [-80, -100, 1], [-80, -60, 1]), 5, []],
  [
    'of points those of the slice',
    inSpace('MULTIPOINT', [0, 0, 0], [2, 2, 5]),
    5,
    [{ kind: 'point', at: [51, 51] }],
  ],
  [
    // From 0 to 10 mm in height: within 2.5 mm of the slice at 5 is the half in the middle.
    'of a line through slices its part',
    inSpace('POLYLINE', [0, 0, 0], [40, 0, 10]),
    5,
    [{ kind: 'line', points: [[55, 50], [65, 50]], filled: false }], // prettier-ignore
  ],
  ['of a line through slices nothing far away', inSpace('POLYLINE', [0, 0, 0], [40, 0, 10]), 30, []],
])('in the patient: %s', (_what, shape, z, expected) => {
  const found = shapesOn(report(group(num('Length', '9'), shape)), target('1.1', z));
  expect(found.filter(({ kind }) => kind !== 'label')).toEqual(expected);
  expect(found.some(({ kind }) => kind === 'label')).toBe(expected.length > 0);
});

test('a group of hundreds of values names the first ones', () => {
  const values = Array.from({ length: 300 }, (_, at) => num(`Value ${at}`, '1'));
  const one = report(group(...tracking('2.1', 'A'), ...values, region('POINT', [1, 1], image('1.1'))));
  const label = shapesOn(one, target('1.1')).find(({ kind }) => kind === 'label');
  expect(label).toMatchObject({ text: 'A\nValue 0: 1 mm\nValue 1: 1 mm\nValue 2: 1 mm\n+297' });
});

test.each<[string, Instance, readonly string[]]>([
  ['a circle of one point', region('CIRCLE', [1, 1], image('1.1')), ['broken']],
  ['a shape without an image', region('POINT', [1, 1]), ['broken']],
  [
    'a shape of a whole slide',
    { ...region('POINT', [1, 1], image('1.1')), '00480301': of('CS', 'VOLUME') },
    ['broken'],
  ],
  ['half a point in space', inSpace('POINT', [1, 2]), ['broken']],
  ['an ellipsoid', inSpace('ELLIPSOID', ...Array.from({ length: 6 }, () => [1, 2, 3])), ['ellipsoid']],
])('%s is not drawn, and the report says so', (_what, shape, undone) => {
  const one = report(group(num('Length', '9'), shape));
  expect(shapesOn(one, target('1.1'))).toEqual([]);
  expect(contentOf(one).undone).toEqual(undone);
});

test('a report without coordinates has nothing to draw; one that refers to itself ends', () => {
  const refusal = (one: Instance) => reportRegions.read(one, () => Promise.reject(new Error('no pixels')));
  expect(refusal(report(group(num('Length', '9'))))).toEqual({ refused: 'empty' });
  expect(refusal({})).toEqual({ refused: 'empty' });
  expect(reportRegions.has!(report(group(num('Length', '9'))))).toBe(false);
  expect(reportRegions.has!(report(num('Length', '9', region('POINT', [1, 1]))))).toBe(true);
  const many = Array.from({ length: 2001 }, () => region('POINT', [1, 1], image('1.1')));
  expect(refusal(report(...many))).toEqual({ refused: 'too-many-parts' });
});

describeWithSharedData('of highdicom', () => {
  test('a group with a circle and one with a line', () => {
    const file = sharedDataPath('dicom/sr', 'sr_document_with_multiple_groups.dcm');
    const json = execFileSync('dcm2json', [file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const one = JSON.parse(json) as Instance;
    const read = contentOf(one);
    const on = target('1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322');
    const shapes = read.parts.flatMap((part) => read.shapesOn(on, part));
    // As the file has them: 45\55\45\65, and 25\45\45\45\45\65\25\65.
    expect(shapes[0]).toMatchObject({ kind: 'circle', centre: [44.5, 54.5], edge: [44.5, 64.5] });
    expect(shapes[1]).toMatchObject({ text: 'LungNodule0001\nDiameter: 10 mm' });
    expect(shapes[2]).toMatchObject({ points: [[24.5, 44.5], [44.5, 44.5], [44.5, 64.5], [24.5, 64.5]] }); // prettier-ignore
  });
});
