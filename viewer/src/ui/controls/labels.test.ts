import { expect, test } from 'vitest';
import { leaderOf, placeLabels, type GlassPoint, type Label, type Labelled } from './labels.ts';

const length = (from: GlassPoint, to: GlassPoint, words = '123.4 mm'): Labelled => ({
  lines: [words],
  shape: [from, to],
  ends: [from, to],
});
const twelve = (line: (nth: number) => [GlassPoint, GlassPoint]) =>
  Array.from({ length: 12 }, (_, nth) => length(...line(nth)));
/** The same numbers each time. */
const noise = (seed: number) => Math.abs(Math.sin(seed * 12.9898) * 43758.5453) % 1;

const overlap = (a: Label, b: Label) =>
  a.left < b.left + b.width &&
  b.left < a.left + a.width &&
  a.top < b.top + b.height &&
  b.top < a.top + a.height;
const covers = ({ left, top, width, height }: Label, [x, y]: GlassPoint) =>
  x >= left && x <= left + width && y >= top && y <= top + height;

test.each<[string, (nth: number) => [GlassPoint, GlassPoint]]>([
  ['one below another', (nth) => [[300, 200 + 16 * nth], [500, 200 + 16 * nth]]], // prettier-ignore
  ['side by side', (nth) => [[300 + 16 * nth, 200], [300 + 16 * nth, 400]]], // prettier-ignore
  ['from one point', (nth) => [[400, 300], [400 + 100 * Math.cos(nth / 2), 300 + 100 * Math.sin(nth / 2)]]], // prettier-ignore
  ['the same line', () => [[350, 300], [450, 320]]], // prettier-ignore
  ['in all directions', (nth) => [
    [300 + 200 * noise(nth), 200 + 200 * noise(nth + 50)],
    [300 + 200 * noise(nth + 100), 200 + 200 * noise(nth + 150)],
  ]], // prettier-ignore
])('12 lengths within 200 px, %s: no label covers another or an end, and all are on the glass', (_, line) => {
  for (const [width, height, shift] of [
    [800, 600, 0],
    [390, 420, -200],
  ] as const) {
    const all = twelve((nth) => {
      const [[a, b], [c, d]] = line(nth);
      return [
        [a + shift, b + shift / 2],
        [c + shift, d + shift / 2],
      ];
    });
    const labels = placeLabels(all, { width, height }).filter((one) => one !== undefined);
    expect(labels).toHaveLength(12);
    for (const [at, label] of labels.entries()) {
      expect(label.left).toBeGreaterThanOrEqual(0);
      expect(label.top).toBeGreaterThanOrEqual(0);
      expect(label.left + label.width).toBeLessThanOrEqual(width);
      expect(label.top + label.height).toBeLessThanOrEqual(height);
      expect(labels.slice(at + 1).filter((other) => overlap(label, other))).toEqual([]);
      expect(all.flatMap(({ ends }) => ends).filter((end) => covers(label, end))).toEqual([]);
    }
  }
});

const GLASS = { width: 800, height: 600 };
const region: GlassPoint[] = [[300, 200], [500, 200], [500, 400], [300, 400]]; // prettier-ignore

test.each<[string, Labelled, GlassPoint, GlassPoint]>([
  ['right of the right end of a line', length([100, 100], [300, 200]), [300, 200], [316, 200]],
  ['left where the right has no room', length([600, 100], [780, 200]), [600, 100], [584, 100]],
  ['below the middle where both sides have none', length([10, 100], [790, 100]), [400, 100], [400, 116]],
  ['right of a region, at its middle', { lines: ['a'], shape: region, ends: region }, [500, 300], [516, 300]],
])('a label stands %s, and a line leads to it', (_, labelled, anchor, end) => {
  const [label] = placeLabels([labelled], GLASS);
  expect(label!.anchor).toEqual(anchor);
  expect(leaderOf(label!)).toBe(`M${anchor.join(' ')}L${end.join(' ')}`);
});

test('a shape that leaves no room has its label in the glass; one without words has none', () => {
  const whole: GlassPoint[] = [[-100, -100], [900, -100], [900, 700], [-100, 700]]; // prettier-ignore
  const [label, none] = placeLabels(
    [
      { lines: ['area 1.0 mm²', 'mean 12'], shape: whole, ends: whole },
      { lines: [], shape: whole, ends: [] },
    ],
    GLASS,
  );
  expect(none).toBeUndefined();
  expect(label!.left + label!.width).toBeLessThanOrEqual(GLASS.width);
  expect(label!.top).toBeGreaterThanOrEqual(0);
});

test('a long note is broken between words, and stays on the glass', () => {
  const note = 'This is where the reading of last year saw the small lesion of the left side';
  const [label] = placeLabels([length([200, 200], [200, 200], note)], { width: 200, height: 400 });
  expect(label!.lines.join(' ')).toBe(note);
  expect(label!.lines.length).toBeGreaterThan(2);
  expect(label!.left + label!.width).toBeLessThanOrEqual(200);
});
