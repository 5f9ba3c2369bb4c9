import { describe, expect, test } from 'vitest';
import { joinEqualErrors, withoutSuggestions } from './joined-errors.ts';

const error = (path: (string | number)[], message = 'No.', code = 'forbidden') => ({
  ...{ message, path },
  extensions: { code, status: 403 },
});

describe('errors of one answer', () => {
  test('a hundred rows with the same error are one error with a count and ten paths', () => {
    const errors = Array.from({ length: 100 }, (_, row) =>
      error(['ConditionList', row, 'subject', 'resource']),
    );
    const [joined, ...others] = joinEqualErrors(errors);
    expect(others).toEqual([]);
    expect(joined).toEqual({
      ...errors[0],
      extensions: {
        ...errors[0]!.extensions,
        count: 100,
        paths: errors.slice(0, 10).map(({ path }) => path),
      },
    });
  });

  test('errors of other fields, messages or codes stay, and one alone is unchanged', () => {
    const errors = [
      error(['a', 0, 'x']),
      error(['a', 0, 'y']),
      error(['a', 1, 'x'], 'Other.'),
      error(['a', 1, 'x'], 'No.', 'not_found'),
      { message: 'Without a path.' },
    ];
    expect(joinEqualErrors(errors)).toEqual(errors);
  });

  test.each([
    [
      'Unknown argument "nam" on field "Query.PatientList". Did you mean "name"?',
      'Unknown argument "nam" on field "Query.PatientList". The schema is at /schema.graphql.',
    ],
    ['Cannot query field "nosuch" on type "Patient".', 'Cannot query field "nosuch" on type "Patient".'],
    [
      'Cannot query field "Did you mean " on type "Patient". Did you mean "id" or "name"?',
      'Cannot query field "Did you mean " on type "Patient". The schema is at /schema.graphql.',
    ],
  ])('without suggestions: %s', (message, shown) => {
    const extensions = { code: 'GRAPHQL_VALIDATION_FAILED' };
    expect(withoutSuggestions([{ message, extensions }])).toEqual([{ message: shown, extensions }]);
  });

  test('a fault keeps its hint: it is about the standard, not the schema', () => {
    const fault = { message: 'No. Did you mean code?', extensions: { code: 'unsupported_parameter' } };
    expect(withoutSuggestions([fault])).toEqual([fault]);
  });
});
