import { expect, test } from 'vitest';
import type { Instance } from '../instance.ts';
import { besidePhases, phasesOf } from './phases.ts';
import { stacksOf } from './stacks.ts';

type Values = Record<string, readonly unknown[]>;
const instance = (values: Values): Instance =>
  Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'UN', Value }]));

/** Two slices at each of so many times. */
const series = (count: number, of: (nth: number) => Values) =>
  stacksOf(
    { study: '1', series: '2' },
    Array.from({ length: 2 * count }, (_, at) =>
      instance({
        '00080018': [`1.2.${at}`],
        '00200013': [at],
        '00200032': [0, 0, 5 * (at % 2)],
        '00200037': [1, 0, 0, 0, 1, 0],
        '00280010': [2],
        '00280011': [2],
        ...of(Math.floor(at / 2)),
      }),
    ),
  );
const position = (nth: number) => ({ '00200100': [nth + 1] });

test.each<[string, number, (nth: number) => Values, string | undefined, readonly number[] | undefined]>([
  [
    'times with their offset',
    7,
    (nth) => ({ ...position(nth), '0020930D': [2.5 * nth] }),
    'temporal',
    [0, 2.5, 5, 7.5, 10, 12.5, 15],
  ],
  [
    'times since the R wave',
    7,
    (nth) => ({ ...position(nth), '00181060': [40 * nth + 10] }),
    'temporal',
    [0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.24],
  ],
  [
    'trigger times alone',
    7,
    (nth) => ({ '00181060': [100 * nth] }),
    'temporal',
    [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
  ],
  [
    'delays after the R wave of an enhanced MR alone',
    7,
    (nth) => ({ '00209153': [50 * nth] }),
    'temporal',
    [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3],
  ],
  [
    'frames of a PET',
    7,
    (nth) => ({ ...position(nth), '00541300': [60_000 * nth + 30_000] }),
    'temporal',
    [0, 60, 120, 180, 240, 300, 360],
  ],
  [
    'the time of acquisition',
    7,
    (nth) => ({ ...position(nth), '00181060': [0], '00080022': ['20260101'], '00080032': [`10000${nth}.5`] }),
    'temporal',
    [0, 1, 2, 3, 4, 5, 6],
  ],
  [
    'over midnight',
    7,
    (nth) => ({
      ...position(nth),
      '00189074': [nth < 3 ? `2026010123595${7 + nth}` : `2026010200000${nth - 3}`],
    }),
    'temporal',
    [0, 1, 2, 3, 4, 5, 6],
  ],
  ['times that are not said', 7, position, 'temporal', undefined],
  ['echoes', 7, (nth) => ({ '00180081': [10 * (nth + 1)] }), 'echo', [10, 20, 30, 40, 50, 60, 70]],
  ['b values', 7, (nth) => ({ '00189087': [100 * nth] }), 'diffusion', [0, 100, 200, 300, 400, 500, 600]],
  ['six times are buttons', 6, position, undefined, undefined],
  ['one stack', 1, position, undefined, undefined],
])('%s', (_, count, of, what, values) => {
  const stacks = series(count, of);
  const phases = phasesOf(stacks);
  expect(phases?.what).toBe(what);
  if (values) expect(phases!.values!.map((one) => Math.round(one * 1000) / 1000)).toEqual(values);
  else expect(phases?.values).toBeUndefined();
  if (phases) expect(phases.stacks).toHaveLength(count);
});

test('a second stack of one value differs by something else, too: there is no order', () => {
  const [first, ...others] = series(8, position);
  const twice = { ...first!, key: 'twice', by: { ...first!.by!, value: `${first!.by!.value} 2` } };
  expect(phasesOf([first!, ...others, twice])).toBeUndefined();
});

test('two stacks of an enhanced object at many times: a slider for each, and the other stack at the same time', () => {
  const all = Array.from({ length: 32 }, (_, at) =>
    instance({
      '00080018': [`1.2.${at}`],
      '00280010': [2],
      '00280011': [2],
      '00200037': [1, 0, 0, 0, 1, 0],
      '00200032': [0, 0, at % 2],
      '00209056': [at < 16 ? 'L' : 'R'],
      ...position(Math.floor((at % 16) / 2)),
    }),
  );
  const stacks = stacksOf({ study: '1', series: '2' }, all);
  expect(stacks).toHaveLength(16);
  const current = stacks.find(({ split }) => split!.stack === 'R' && split!.temporal === '3')!;
  const phases = phasesOf(stacks, current)!;
  expect(phases.stacks.map(({ split }) => split!.temporal)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
  expect(new Set(phases.stacks.map(({ split }) => split!.stack))).toEqual(new Set(['R']));
  expect(besidePhases(stacks, phases, current).map(({ split }) => split)).toEqual([
    { stack: 'L', temporal: '3' },
  ]);
});

test('a scout of another size does not count', () => {
  const scout = instance({ '00080018': ['9'], '00280010': [9], '00280011': [2] });
  const times = Array.from({ length: 14 }, (_, at) =>
    instance({
      '00080018': [`1.2.${at}`],
      '00280010': [2],
      '00280011': [2],
      '00200037': [1, 0, 0, 0, 1, 0],
      '00200032': [0, 0, at % 2],
      ...position(13 - Math.floor(at / 2)),
    }),
  );
  const stacks = stacksOf({ study: '1', series: '2' }, [scout, ...times]);
  expect(stacks).toHaveLength(8);
  expect(phasesOf(stacks)!.stacks.map(({ by }) => by!.value)).toEqual([
    '8',
    '9',
    '10',
    '11',
    '12',
    '13',
    '14',
  ]);
});
