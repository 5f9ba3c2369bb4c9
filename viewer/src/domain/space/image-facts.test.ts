import { expect, test } from 'vitest';
import { acquired, echoAndRepetition, slicePlace } from './image-facts.ts';
import type { Instance } from '../instance.ts';

const metadata = (values: Record<string, readonly unknown[]>): Instance =>
  Object.fromEntries(Object.entries(values).map(([tag, Value]) => [tag, { vr: 'UN', Value }]));

test('the position of a slice', () => {
  const at = metadata({ '00200037': [1, 0, 0, 0, 1, 0], '00200032': [-120, -110, 42.5] });
  expect(slicePlace(at)).toEqual({ position: { side: 'H', mm: 42.5 } });
  expect(slicePlace(metadata({ '00200037': [0, 0, 0, 0, 0, 0], '00200032': [1, 2, 3] }))).toEqual({});
});

test.each<[string, Record<string, readonly unknown[]>, object]>([
  ['thickness', { '00180050': ['1.25'] }, { thickness: 1.25 }],
  ['no thickness', { '00180050': [0] }, {}],
])('%s', (_, values, expected) => expect(slicePlace(metadata(values))).toEqual(expected));

test.each<[string, Record<string, readonly unknown[]>, object]>([
  ['MR', { '00080060': ['MR'], '00180081': [90], '00180080': [4000] }, { echo: 90, repetition: 4000 }],
  ['enhanced MR', { '00080060': ['MR'], '00189082': [2.3] }, { echo: 2.3 }],
  ['CT', { '00080060': ['CT'], '00180081': [90] }, {}],
])('echo and repetition of an %s', (_, values, expected) =>
  expect(echoAndRepetition(metadata(values))).toEqual(expected),
);

const DATE = ['20260312'];
test.each<[Record<string, readonly unknown[]>, string | undefined, string | undefined]>([
  [{ '00080022': DATE, '00080032': ['093215.250'] }, '20260312', '09:32'],
  [{ '00080022': DATE, '00080032': ['09:32:15'] }, '20260312', '09:32'],
  [{ '0008002A': ['20260312141500'] }, '20260312', '14:15'],
  [{ '0008002A': ['20260312'] }, '20260312', undefined],
  // Date and time are of one moment: not the date of the series with the time of the acquisition.
  [{ '00080021': ['20000101'], '0008002A': ['20260312141500'] }, '20260312', '14:15'],
  [{ '00080022': DATE, '0008002A': ['20260312141500'] }, '20260312', '14:15'],
  [{ '00080022': DATE, '0008002A': ['20260313001500'] }, '20260312', undefined],
  // A frame has a time of its own.
  [{ '00189074': ['20260313001500'], '0008002A': ['20260312235900'] }, '20260313', '00:15'],
  [{ '00080021': DATE, '00080020': ['20260311'] }, '20260312', undefined],
  [{ '00080020': ['20260311'], '00080032': ['093215'] }, '20260311', '09:32'],
  [{}, undefined, undefined],
])('an image of %j was acquired', (values, date, time) =>
  expect(acquired(metadata(values))).toEqual({ date, time }),
);
