import { expect, test } from 'vitest';
import { items, of } from '../../../test/setup/overlay-objects.ts';
import {
  area,
  contentOf,
  image,
  images,
  state,
  target,
  turned,
  voi,
  windows,
} from '../../../test/setup/presentation-states.ts';
import type { Instance } from '../instance.ts';
import type { Shape } from './overlay.ts';
import { presentationState } from './presentation-state.ts';

const graphic = (type: string, data: readonly number[], units = 'PIXEL', more: Instance = {}): Instance => ({
  '00700005': of('CS', units),
  '00700023': of('CS', type),
  '00700022': of('FL', ...data),
  ...more,
});
const annotation = (layer: string, graphics: readonly Instance[], more: Instance = {}): Instance => ({
  '00700002': of('CS', layer),
  '00700009': items(...graphics),
  ...more,
});
const annotated = (...all: Instance[]) => ({ '00700001': items(...all) });
function shapesOf(one: Instance, on = target()): readonly Shape[] {
  const content = contentOf(one);
  return content.parts.flatMap((part) => content.shapesOn(on, part));
}

test.each<[string, Instance, Shape]>([
  // 0/0 is the corner of the first pixel, whose centre is 0/0 here.
  ['a point', graphic('POINT', [0.5, 1.5]), { kind: 'point', at: [0, 1] }],
  [
    'a line',
    graphic('POLYLINE', [0, 0, 10, 5]),
    { kind: 'line', points: [[-0.5, -0.5], [9.5, 4.5]], filled: false }, // prettier-ignore
  ],
  [
    'a circle that is filled',
    graphic('CIRCLE', [10.5, 10.5, 15.5, 10.5], 'PIXEL', { '00700024': of('CS', 'Y') }),
    { kind: 'circle', centre: [10, 10], edge: [15, 10], filled: true },
  ],
  [
    'an ellipse',
    graphic('ELLIPSE', [0.5, 5.5, 10.5, 5.5, 5.5, 3.5, 5.5, 7.5]),
    { kind: 'ellipse', ends: [[0, 5], [10, 5], [5, 3], [5, 7]], filled: false }, // prettier-ignore
  ],
  // A quarter of 40 columns and three quarters of 20 rows.
  ['a part of the area', graphic('POINT', [0.25, 0.75], 'DISPLAY'), { kind: 'point', at: [9.5, 14.5] }],
])('a state draws %s', (_what, item, expected) => {
  expect(shapesOf(state(annotated(annotation('A', [item]))))).toEqual([expected]);
});

test.each<[number, string, readonly number[]]>([
  // The upper left corner of what is shown, as a point of the image of 40 × 20 pixels.
  [0, 'N', [-0.5, -0.5]],
  [90, 'N', [-0.5, 19.5]],
  [180, 'N', [39.5, 19.5]],
  [270, 'N', [39.5, -0.5]],
  [0, 'Y', [39.5, -0.5]],
  [90, 'Y', [-0.5, -0.5]],
  [270, 'Y', [39.5, 19.5]],
])('the corner of an area that is turned by %i and flipped %s', (rotation, flip, expected) => {
  const corner = annotated(annotation('A', [graphic('POINT', [0, 0], 'DISPLAY')]));
  const [shape] = shapesOf(state({ ...turned(rotation, flip), ...corner }));
  const { at } = shape as Extract<Shape, { kind: 'point' }>;
  expect(at[0]).toBeCloseTo(expected[0]!);
  expect(at[1]).toBeCloseTo(expected[1]!);
});

test('an interpolated line goes through its points, and is smooth where it closes', () => {
  const data = [10, 0, 20, 10, 10, 20, 0, 10, 10, 0];
  const [shape] = shapesOf(state(annotated(annotation('A', [graphic('INTERPOLATED', data)]))));
  const { points } = shape as Extract<Shape, { kind: 'line' }>;
  for (const [x, y] of [
    [9.5, -0.5],
    [19.5, 9.5],
    [9.5, 19.5],
    [-0.5, 9.5],
  ] as const)
    // prettier-ignore
    expect(points.some(([column, row]) => Math.hypot(column - x, row - y) < 1e-9)).toBe(true);
  // Round a square it stays near the circle through its corners, on both sides of the point where it closes.
  for (const [x, y] of points) expect(Math.abs(Math.hypot(x - 9.5, y - 9.5) - 10)).toBeLessThan(1.2);
});

test('layers lie over one another by their order, and have their colours; empty ones are left out', () => {
  const layer = (name: string, order: number, more: Instance): Instance => ({
    '00700002': of('CS', name),
    '00700062': of('IS', order),
    ...more,
  });
  const { parts } = contentOf(
    state({
      ...annotated(
        annotation('TOP', [graphic('POINT', [1, 1])]),
        annotation('LOW', [graphic('POINT', [1, 1])]),
      ),
      '00700060': items(
        layer('TOP', 2, { '00700066': of('US', 65535), '00700068': of('LO', 'Findings') }),
        // L* 100, a* and b* 0: white.
        layer('LOW', 1, { '00700401': of('US', 65535, 32896, 32896) }),
        layer('EMPTY', 0, {}),
      ),
    }),
  );
  expect(parts.map(({ id, name }) => [id, name])).toEqual([
    ['LOW', 'LOW'],
    ['TOP', 'Findings'],
  ]);
  expect(parts[1]!.colour).toEqual([255, 255, 255]);
  for (const channel of parts[0]!.colour) expect(channel).toBeGreaterThan(252);
});

test('annotations may be for some of the images', () => {
  const some = annotation('A', [graphic('POINT', [1, 1])], images(image('1.2')));
  expect(shapesOf(state(annotated(some)))).toEqual([]);
  expect(shapesOf(state(annotated(some)), target('1.2'))).toHaveLength(1);
});

const words = (more: Instance): Instance => ({ '00700006': of('ST', 'One\r\ntwo '), ...more });
const box = (one: readonly number[], other: readonly number[], units = 'PIXEL'): Instance => ({
  '00700003': of('CS', units),
  '00700010': of('FL', ...one),
  '00700011': of('FL', ...other),
});
const anchor = (point: readonly number[], visible: string): Instance => ({
  '00700004': of('CS', 'PIXEL'),
  '00700014': of('FL', ...point),
  '00700015': of('CS', visible),
});
test.each<[string, Instance, Instance, Partial<Extract<Shape, { kind: 'text' }>>]>([
  ['in a box', box([5.5, 5.5], [15.5, 8.5]), {}, { at: [5, 5], middle: false }],
  ['at the upper left corner as it is shown', box([5.5, 5.5], [15.5, 8.5]), turned(0, 'Y'), { at: [15, 5] }],
  ['in a box of the display', box([0.5, 0.5], [1, 1], 'DISPLAY'), {}, { at: [19.5, 9.5] }],
  [
    'in the middle of a box, with a line to its anchor',
    { ...box([5.5, 5.5], [15.5, 8.5]), '00700012': of('CS', 'CENTER'), ...anchor([1.5, 1.5], 'Y') },
    {},
    { at: [10, 6.5], middle: true, pointsTo: [1, 1] },
  ],
  ['at an anchor that is not seen', anchor([3.5, 4.5], 'N'), {}, { at: [3, 4] }],
])('a text is written %s', (_what, item, more, expected) => {
  const group = annotation('A', [], { '00700008': items(words(item)) });
  const [shape] = shapesOf(state({ ...more, ...annotated(group) }));
  const written = shape as Extract<Shape, { kind: 'text' }>;
  const at = written.at.map((value) => Math.round(value * 1e6) / 1e6);
  expect({ ...written, at }).toMatchObject({ kind: 'text', text: 'One\ntwo', ...expected });
});

test.each<[string, Instance]>([
  ['a circle of one point', graphic('CIRCLE', [5, 5])],
  ['a line of one point', graphic('POLYLINE', [5, 5])],
  ['half a point', graphic('POINT', [5])],
  ['no numbers', graphic('POLYLINE', [NaN, 5, 5, 5])],
  ['other units', graphic('POINT', [5, 5], 'MATRIX')],
  ['another type', graphic('STAR', [5, 5])],
])('%s is left out, and the state says so', (_what, item) => {
  const one = state(annotated(annotation('A', [item, graphic('POINT', [1, 1])])));
  expect(shapesOf(one)).toHaveLength(1);
  expect(contentOf(one).undone).toEqual(['broken']);
});

test.each<[string, Instance]>([
  ['modality-table', { '00283000': items({}) }],
  ['window-table', windows({ '00283010': items({}) })],
  ['window-curve', windows(voi(1, 2, { '00281056': of('CS', 'SIGMOID') }))],
  ['grey-table', { '20500010': items({}) }],
  ['colour-table', { '00281101': of('US', 256, 0, 16) }],
  ['bitmap-shutter', { '00181600': of('CS', 'BITMAP') }],
  ['true-size', { '0070005A': items(area([1, 1], [2, 2], { '00700100': of('CS', 'TRUE SIZE') })) }],
  ['overlay-plane', { '60001001': of('CS', 'A') }],
  ['subtraction', { '00286100': items({}) }],
  ['compound', annotated(annotation('A', [], { '00700209': items({}) }))],
])('what is not shown is named: %s', (name, more) => {
  expect(contentOf(state(more)).undone).toEqual([name]);
});

test('a state without graphics is read; one that names no image is refused', () => {
  expect(contentOf(state())).toMatchObject({ parts: [], undone: [] });
  const reading = presentationState.read({}, () => Promise.reject(new Error('no pixels')));
  expect(reading).toEqual({ refused: 'without-place' });
});
