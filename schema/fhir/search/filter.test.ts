import { describe, expect, test } from 'vitest';
import { filterParams, parseFilter } from './filter.ts';

describe('FG-20 _filter', () => {
  test.each<[type: string, filter: string, params: [string, string][]]>([
    [
      'Observation',
      'date ge 2021 and date lt 2022',
      [
        ['date', 'ge2021'],
        ['date', 'lt2022'],
      ],
    ],
    ['Observation', 'date eq 2021', [['date', 'eq2021']]],
    [
      'Observation',
      'category eq laboratory and category eq vital-signs',
      [
        ['category', 'laboratory'],
        ['category', 'vital-signs'],
      ],
    ],
    ['Observation', 'value_quantity gt 5', [['value-quantity', 'gt5']]],
    ['Observation', 'code_value_quantity eq 8480-6$gt140', [['code-value-quantity', '8480-6$gt140']]],
    ['Observation', 'status ne final', [['status:not', 'final']]],
    ['Observation', 'status eq "a,b"', [['status', 'a\\,b']]],
    ['Patient', 'name eq "Peter"', [['name:exact', 'Peter']]],
    ['Patient', 'name sw Pet', [['name', 'Pet']]],
    ['Patient', 'name co "et"', [['name:contains', 'et']]],
    ['Patient', 'name co "a and b"', [['name:contains', 'a and b']]],
    ['Patient', 'general-practitioner eq Practitioner/1', [['general-practitioner', 'Practitioner/1']]],
  ])('%s: %s', (type, filter, params) => {
    expect(filterParams(type, filter)).toEqual(params);
  });

  test.each<[type: string, filter: string, message: RegExp]>([
    // Each of these would otherwise mean something else than it says.
    ['Observation', 'status gt final', /^_filter compares status, a token, with eq ne pr\.$/],
    ['Observation', 'status sw fin', /with eq ne pr/],
    ['Observation', 'status co fin', /with eq ne pr/],
    ['Patient', 'name ne Peter', /with eq co sw pr/],
    ['Condition', 'code co diabetes', /with eq ne pr\.$/],
    ['Patient', 'name gt Peter', /^_filter compares name, a string, with eq co sw pr\./],
    ['Observation', 'date co 2021', /with eq ne gt lt ge le sa eb ap pr\./],
    ['Observation', 'subject ne Patient/1', /with eq re pr\./],
    ['Observation', 'colour eq blue', /takes comparisons/],
    ['Observation', 'statos eq final', /Did you mean status\?/],
    ['Observation', '', /takes comparisons/],
    ['Observation', 'subject.name eq Peter', /takes comparisons/],
    ['Observation', Array.from({ length: 31 }, () => 'status eq final').join(' and '), /at most 30/],
    ['Observation', `status eq "${'\\"'.repeat(2_001)}`, /at most 4000 characters/],
  ])('%s: %s is refused', (type, filter, message) => {
    expect(() => parseFilter(type, filter)).toThrow(message);
  });

  test('joins with or, and not, as one parameter of its own', () => {
    const filter = 'status eq final or not (status eq amended)';
    expect(filterParams('Observation', filter)).toEqual([['_filter', filter]]);
    expect(parseFilter('Observation', filter)).toEqual({
      or: [{ name: 'status', value: 'final' }, { not: { name: 'status', value: 'amended' } }],
    });
  });
});
