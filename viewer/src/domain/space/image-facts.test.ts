import { expect, test } from 'vitest';
import { acquisitionTime, echoAndRepetition, slicePlace } from './image-facts.ts';
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

test.each<[Record<string, readonly unknown[]>, string | undefined]>([
  [{ '00080032': ['093215.250'] }, '09:32'],
  [{ '0008002A': ['20260312141500'] }, '14:15'],
  [{ '00080032': ['09:32:15'] }, '09:32'],
  [{ '0008002A': ['20260312'] }, undefined],
  [{}, undefined],
])('the time of %j', (values, expected) => expect(acquisitionTime(metadata(values))).toBe(expected));
