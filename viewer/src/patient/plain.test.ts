import { describe, expect, test } from 'vitest';
import { ageOn, countOf, dayOf, modalityName } from './plain.ts';

test.each([
  ['MR', 'MRI'],
  ['CT', 'CT scan'],
  ['OT', 'OT'],
])('the name of modality %s is %s', (code, name) => expect(modalityName(code)).toBe(name));

test.each([
  ['2026-03-12', '12 Mar 2026'],
  ['2026-03-12T09:30:00-05:00', '12 Mar 2026'],
  ['2026-03', 'Mar 2026'],
  ['2026', '2026'],
  ['unknown', 'unknown'],
])('the date %s is formatted as %s', (date, text) => expect(dayOf(date)).toBe(text));

describe('age in completed years', () => {
  test.each([
    ['1972-05-01', '2026-05-01', 54],
    ['1972-05-01', '2026-04-30', 53],
    ['1972', '2026-01-01', 54],
    [undefined, '2026-01-01', undefined],
  ])('born %s, on %s: %s', (born, today, age) => expect(ageOn(born, today)).toBe(age));
});

test.each([
  [1, '1 object'],
  [208, '208 objects'],
  [null, '? objects'],
])('the count %s is formatted as %s', (count, text) => expect(countOf(count, 'object')).toBe(text));
