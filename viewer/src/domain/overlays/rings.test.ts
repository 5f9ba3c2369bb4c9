import { expect, test } from 'vitest';
import { AXIAL, covered, imagesAt, targetsOf } from '../../../test/setup/overlay-objects.ts';
import { ringsOf } from './rings.ts';

const drawn = (...rows: string[]) => ({
  columns: rows[0]!.length,
  rows: rows.length,
  values: Uint8Array.from([...rows.join('')], (one) => (one === '#' ? 255 : 0)),
});

test.each<[string, ReturnType<typeof drawn>, number]>([
  ['nothing', drawn('...', '...'), 0],
  ['a pixel', drawn('...', '.#.', '...'), 1],
  ['everything', drawn('###', '###'), 1],
  ['a hole', drawn('####', '#..#', '####'), 2],
  ['an island in a hole', drawn('#####', '#...#', '#.#.#', '#...#', '#####'), 3],
  ['two that touch by a corner', drawn('#.', '.#'), 2],
  ['a hole that touches the outside by a corner', drawn('###.', '#.##', '##..'), 1],
])('the rings of %s cover its pixels, and no others', (_, mask, count) => {
  const rings = ringsOf(mask);
  const size = { rows: mask.rows, columns: mask.columns, count: 1 };
  const [target] = targetsOf(
    imagesAt({ ...size, origin: [0, 0, 0], orientation: AXIAL, spacing: [1, 1, 1] }),
  );
  expect(covered([{ kind: 'area', rings }], target!)).toEqual([...mask.values].map((value) => value > 0));
  expect(rings).toHaveLength(count);
});

test('a straight edge has two points', () => {
  expect(ringsOf(drawn('....', '.##.', '.##.', '....'))).toEqual([
    [
      [0.5, 0.5],
      [2.5, 0.5],
      [2.5, 2.5],
      [0.5, 2.5],
    ],
  ]);
});
