import { describe, expect, test } from 'vitest';
import type { Instance } from '../instance.ts';
import { isBeyond, linkedIndex, linkOf, offsetBetween } from './linked-stacks.ts';
import type { Stack } from './stacks.ts';

interface Made {
  count: number;
  /** mm along the head axis of the first image. */
  from?: number;
  /** mm to the next image. */
  step?: number;
  frameOfReference?: string;
  /** Degrees of the planes around the axis from right to left. */
  tilt?: number;
  size?: { pixels: number; spacing: number };
}

/** An axial stack. */
function made({ count, from = 0, step = 1, frameOfReference, tilt = 0, size }: Made): Stack {
  const angle = (tilt * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const half = size ? ((size.pixels - 1) / 2) * size.spacing : 0;
  const metadata = (index: number): Instance => ({
    // Of a stack with a size, the middles lie on one line: the gantry turns around it.
    '00200032': { vr: 'DS', Value: [-half, -half * cos, from + index * step - half * sin] },
    '00200037': { vr: 'DS', Value: [1, 0, 0, 0, cos, sin] },
    ...(frameOfReference && { '00200052': { vr: 'UI', Value: [frameOfReference] } }),
    ...(size && {
      '00280010': { vr: 'US', Value: [size.pixels] },
      '00280011': { vr: 'US', Value: [size.pixels] },
      '00280030': { vr: 'DS', Value: [size.spacing, size.spacing] },
    }),
  });
  return stackOf(Array.from({ length: count }, (_, index) => metadata(index)));
}

function stackOf(all: readonly Instance[]): Stack {
  const name = { study: '1', series: '1', frame: 1 };
  return {
    key: 'all',
    frames: all.map((metadata, index) => ({
      id: String(index),
      name: { ...name, instance: String(index) },
      metadata,
      bytes: 1,
    })),
  };
}

const unplaced = (count: number) => stackOf(Array<Instance>(count).fill({}));
const coronal = stackOf(
  Array.from({ length: 50 }, (_, index) => ({
    '00200032': { vr: 'DS', Value: [0, index, 0] },
    '00200037': { vr: 'DS', Value: [1, 0, 0, 0, 0, -1] },
    '00200052': { vr: 'UI', Value: ['f'] },
  })),
);
const film = stackOf(Array<Instance>(30).fill(made({ count: 1 }).frames[0]!.metadata));
const wide = { pixels: 512, spacing: 0.5 };

describe('how two stacks are linked, and which image belongs to one', () => {
  test.each<[name: string, a: Stack, b: Stack, by: string, pairs: [first: number, second: number][]]>([
    [
      'the same places',
      made({ count: 100 }),
      made({ count: 100 }),
      'position',
      [
        [0, 0],
        [50, 50],
        [99, 99],
      ],
    ],
    [
      'thin and thick slices',
      made({ count: 208, step: 1.5 }),
      made({ count: 60, step: 5 }),
      'position',
      [
        [0, 0],
        [100, 30],
        [87, 26],
      ],
    ],
    [
      'from below and from above',
      made({ count: 100 }),
      made({ count: 100, from: 99, step: -1 }),
      'position',
      [
        [0, 99],
        [98, 1],
      ],
    ],
    [
      'the longer one goes on',
      made({ count: 100 }),
      made({ count: 40, from: 30 }),
      'position',
      [
        [10, 0],
        [40, 10],
        [99, 39],
      ],
    ],
    ['a little tilted', made({ count: 100 }), made({ count: 100, tilt: 5 }), 'position', [[50, 50]]],
    [
      'tilted images meet in their middles',
      made({ count: 100, size: wide }),
      made({ count: 100, tilt: 10, size: wide }),
      'position',
      [
        [50, 50],
        [10, 10],
      ],
    ],
    ['tilted in another examination', made({ count: 11 }), made({ count: 11, tilt: 25 }), 'number', [[5, 5]]],
    [
      'tilted in one examination',
      made({ count: 11, frameOfReference: 'f' }),
      made({ count: 11, tilt: 25, frameOfReference: 'f' }),
      'position',
      [[0, 0]],
    ],
    [
      'other coordinates',
      made({ count: 11 }),
      made({ count: 101, from: 500 }),
      'number',
      [
        [0, 0],
        [5, 50],
        [10, 100],
      ],
    ],
    [
      'other coordinates, the other way round',
      made({ count: 11 }),
      made({ count: 101, from: 500, step: -1 }),
      'number',
      [
        [0, 100],
        [4, 60],
      ],
    ],
    [
      'apart in one examination',
      made({ count: 11, frameOfReference: 'f' }),
      made({ count: 11, from: 50, frameOfReference: 'f' }),
      'position',
      [[10, 0]],
    ],
    ['another plane', made({ count: 50, frameOfReference: 'f' }), coronal, 'number', [[49, 49]]],
    ['no positions', unplaced(11), made({ count: 101 }), 'number', [[5, 50]]],
    ['films', film, film, 'number', [[7, 7]]],
    ['a film and a stack', film, made({ count: 59 }), 'number', [[29, 58]]],
    ['single images', unplaced(1), unplaced(1), 'number', [[0, 0]]],
    ['a single image among many', made({ count: 1, from: 20 }), made({ count: 50 }), 'position', [[0, 20]]],
  ])('%s', (_name, a, b, by, pairs) => {
    const link = linkOf(a, b);
    expect(link.by).toBe(by);
    for (const [first, second] of pairs)
      expect(linkedIndex(link, 0, { index: first, offset: 0 }), `image ${first}`).toBe(second);
  });

  test.each([
    ['positions', made({ count: 5 }), made({ count: 5 }), undefined],
    ['images without a position', unplaced(5), made({ count: 5 }), 'no-position'],
    ['films', film, film, 'no-position'],
    ['another plane', made({ count: 50 }), coronal, 'other-plane'],
    ['other coordinates', made({ count: 5 }), made({ count: 5, from: 500 }), 'other-frame'],
  ])('why it is by number: %s', (_name, a, b, gap) => {
    expect(linkOf(a, b).gap).toBe(gap);
  });

  test('the second leads as the first does', () => {
    const link = linkOf(made({ count: 208, step: 1.5 }), made({ count: 60, step: 5 }));
    expect(linkedIndex(link, 1, { index: 30, offset: 0 })).toBe(100);
    expect(linkedIndex(link, 1, { index: 59, offset: 0 })).toBe(197);
  });
});

describe('an offset that the person has made', () => {
  const link = linkOf(made({ count: 100, step: 2 }), made({ count: 60, step: 3 }));
  test.each([
    ['none for images that belong together', 30, 20, 0],
    ['none for the nearest image of thicker slices', 31, 21, 0],
    ['in mm of the common normal', 30, 24, 12],
    ['to the other side', 30, 16, -12],
  ])('%s', (_name, first, second, expected) => {
    const offset = offsetBetween(link, first, second);
    expect(offset).toBe(expected);
    expect(linkedIndex(link, 0, { index: first, offset })).toBe(second);
  });

  test('is kept in both directions', () => {
    expect(linkedIndex(link, 0, { index: 60, offset: 12 })).toBe(44);
    expect(linkedIndex(link, 1, { index: 44, offset: 12 })).toBe(60);
  });

  test('by number it is a part of the stack', () => {
    const byNumber = linkOf(unplaced(101), unplaced(11));
    const offset = offsetBetween(byNumber, 50, 8);
    expect(offset).toBeCloseTo(0.3);
    expect(linkedIndex(byNumber, 0, { index: 20, offset })).toBe(5);
  });
});

test.each([
  ['before the first', 10, true],
  ['at the first', 30, false],
  ['within', 40, false],
  ['half a slice after the last', 69, false],
  ['after the last', 75, true],
])('a stack that ends is told: %s', (_name, index, expected) => {
  const link = linkOf(made({ count: 100 }), made({ count: 20, from: 30, step: 2 }));
  expect(isBeyond(link, 0, { index, offset: 0 })).toBe(expected);
});
