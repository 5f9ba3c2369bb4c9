import { describe, expect, test } from 'vitest';
import { joinEqualErrors, withoutSuggestions, withSchemaHint } from './joined-errors.ts';

const HINT = 'The schema is at /schema.graphql, and the playground of the tenant completes its names.';

const error = (path: (string | number)[], message = 'No.', code = 'forbidden') => ({
  message,
  path,
  extensions: { code, status: 403 },
});

describe('errors of one answer', () => {
  test.each([1, 5, 100, 101])('%i equal errors are given one by one', (rows) => {
    const errors = Array.from({ length: rows }, (_, row) => error(['List', row, 'subject']));
    expect(joinEqualErrors(errors)).toEqual(errors);
  });

  test('of more, 100 are given, and the next one has the number of the rest', () => {
    const errors = Array.from({ length: 250 }, (_, row) => error(['List', row, 'subject']));
    const next = errors[100]!;
    expect(joinEqualErrors(errors)).toEqual([
      ...errors.slice(0, 100),
      { ...next, extensions: { ...next.extensions, count: 150 } },
    ]);
  });

  test('equal failures have the longest retryAfter of them', () => {
    const after = (path: string, retryAfter: number, message = 'Away.') => ({
      message,
      path: [path],
      extensions: { code: 'unavailable', retryAfter },
    });
    const errors = [after('a', 2), after('b', 3), after('c', 9, 'Other.')];
    expect(joinEqualErrors(errors)).toEqual([after('a', 3), after('b', 3), after('c', 9, 'Other.')]);
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
      `Unknown argument "nam" on field "Query.PatientList". ${HINT}`,
    ],
    ['Cannot query field "nosuch" on type "Patient".', 'Cannot query field "nosuch" on type "Patient".'],
    [
      'Cannot query field "Did you mean " on type "Patient". Did you mean "id" or "name"?',
      `Cannot query field "Did you mean " on type "Patient". ${HINT}`,
    ],
  ])('without suggestions: %s', (message, shown) => {
    const extensions = { code: 'GRAPHQL_VALIDATION_FAILED' };
    expect(withoutSuggestions([{ message, extensions }])).toEqual([{ message: shown, extensions }]);
  });

  test.each([
    ['Cannot query field "zz" on type "Patient".', ` ${HINT}`],
    ['Cannot query field "i" on type "Patient". Did you mean "id"?', ''],
    [`Unknown argument "zz" on field "Query.PatientList". ${HINT}`, ''],
    ['Int cannot represent non-integer value: "x"', ''],
  ])('where the schema is, after: %s', (message, hint) => {
    const extensions = { code: 'GRAPHQL_VALIDATION_FAILED' };
    expect(withSchemaHint([{ message, extensions }])).toEqual([{ message: message + hint, extensions }]);
  });

  test('a fault keeps its hint: it is about the standard, not the schema', () => {
    const fault = { message: 'No. Did you mean code?', extensions: { code: 'unsupported_parameter' } };
    expect(withoutSuggestions([fault])).toEqual([fault]);
  });
});
