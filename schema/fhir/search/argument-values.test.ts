import { describe, expect, test } from 'vitest';
import { argumentConditions } from './argument-values.ts';
import { searchParameter } from '../tables.ts';

const conditions = (code: string, values: string[], type = 'Observation') =>
  argumentConditions(type, searchParameter(type, code)!, values);

describe('FG-20 values of an argument', () => {
  test.each<[code: string, values: string[], meaning: string[]]>([
    ['date', ['2020', '2021'], ['2020,2021']],
    ['date', ['ge2026-01-01', 'le2026-12-31'], ['ge2026-01-01', 'le2026-12-31']],
    ['date', ['gt2026', 'lt2027', 'ne2026-05'], ['gt2026', 'lt2027', 'ne2026-05']],
    ['date', ['sa2026'], ['sa2026']],
    ['date', ['eq2026', 'ap2020'], ['eq2026,ap2020']],
    ['date', ['2020,2021', '2023'], ['2020,2021,2023']],
    ['_lastUpdated', ['ge2026', 'lt2027'], ['ge2026', 'lt2027']],
    ['value-quantity', ['ge5||kg', 'le9||kg'], ['ge5||kg', 'le9||kg']],
    ['value-quantity', ['5||kg', '9||kg'], ['5||kg,9||kg']],
    // Values of other types have no prefixes.
    ['status', ['le', 'final'], ['le,final']],
    ['value-string', ['generic', 'letter'], ['generic,letter']],
    ['code-value-quantity', ['8480-6$gt140', '8480-6$lt160'], ['8480-6$gt140', '8480-6$lt160']],
    ['code-value-quantity', ['8480-6$gt140', '8462-4$gt90'], ['8480-6$gt140,8462-4$gt90']],
    ['code-value-quantity', ['8480-6$140', '8480-6$150'], ['8480-6$140,8480-6$150']],
    ['code-value-string', ['1-8$general'], ['1-8$general']],
  ])('%s: %j means %j', (code, values, meaning) => {
    expect(conditions(code, values)).toEqual(meaning.map((value) => [code, value]));
  });

  test.each<[code: string, values: string[], message: RegExp]>([
    ['date', ['ge2026', '2020'], /mixes bounds/],
    ['date', ['ge2026,le2026'], /mixes bounds/],
    ['date', ['ge2026', 'le2027,2020'], /mixes bounds/],
    ['value-quantity', ['gt5', 'ap7'], /mixes bounds/],
    ['code-value-quantity', ['8480-6$gt140', '8480-6$120'], /mixes bounds/],
    ['code-value-quantity', ['8480-6$gt140', '8480-6$lt160', '8462-4$gt90'], /mixes bounds/],
    ['date', [], /has no value/],
    ['status', ['final', ' '], /has no value/],
    ['status', [','], /has no value/],
    ['status', Array.from({ length: 101 }, () => 'final'), /at most 100/],
  ])('%s: %j is refused', (code, values, message) => {
    expect(() => conditions(code, values)).toThrow(message);
  });
});

test('FG-20 bounds of a probability are a range', () => {
  expect(conditions('probability', ['gt0.1', 'lt0.5'], 'RiskAssessment')).toHaveLength(2);
});
