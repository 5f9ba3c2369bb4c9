import { describe, expect, test } from 'vitest';
import { contractChanges, mayBreak, releasedText } from './contract.ts';

const RELEASED = `
  type Query { Patient(id: ID!, _count: Int = 10): Patient }
  type Patient {
    name: String
    status: Status
    old: Old @deprecated(reason: "Use name. Removal not before 2026-06-30.")
    list(sort: String, by: String @deprecated(reason: "Use sort. Removal not before 2026-06-30.")): [String]
  }
  type Old { text: String }
  enum Status { ACTIVE GONE FORMER @deprecated(reason: "Use GONE. Removal not before 2026-06-30.") }`;

/** Compares a change of the schema above. */
function changed(from: string, to: string, today = '2026-01-01', accepted = {}) {
  expect(RELEASED).toContain(from);
  const released = releasedText(RELEASED, '1.2.3');
  return contractChanges({ released, current: RELEASED.replace(from, to) }, { today, accepted });
}

describe('FG-34 what breaks clients of the last release is refused', () => {
  test.each([
    ['a field is removed', 'name: String', '', 'Patient.name was removed.'],
    ['a type is changed', 'name: String', 'name: Int', 'Patient.name changed type from String to Int.'],
    ['a value is removed', 'ACTIVE', '', 'ACTIVE was removed from enum type Status.'],
    ['an argument is removed', 'sort: String,', '', 'Patient.list arg sort was removed.'],
    ['an argument is required', 'sort: String,', 'sort: String!,', 'Patient.list arg sort has changed type'],
    [
      'a new argument is required',
      'sort: String,',
      'sort: String, a: Int!,',
      'A required arg a on Patient.list was added.',
    ],
    [
      'a default is another',
      '= 10',
      '= 20',
      'Query.Patient arg _count has changed defaultValue from 10 to 20.',
    ],
  ])('%s', (_title, from, to, sentence) => {
    const { problems } = changed(from, to);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(sentence);
    expect(problems[0]).toContain('deprecate it first: @deprecated(reason:');
  });
});

describe('FG-34 a deprecated element is removed on its date or later', () => {
  const removals: [string, string, string][] = [
    [
      'field',
      'old: Old @deprecated(reason: "Use name. Removal not before 2026-06-30.")',
      'Patient.old was removed.',
    ],
    [
      'argument',
      ', by: String @deprecated(reason: "Use sort. Removal not before 2026-06-30.")',
      'Patient.list arg by was removed.',
    ],
    [
      'value',
      'FORMER @deprecated(reason: "Use GONE. Removal not before 2026-06-30.")',
      'FORMER was removed from enum type Status.',
    ],
  ];
  test.each(removals)('%s', (_title, text, sentence) => {
    const { problems } = changed(text, '', '2026-06-29');
    expect(problems).toEqual([
      `${sentence} It is deprecated in the last release, but the date of its removal is not reached. Keep it until then.`,
    ]);
    expect(changed(text, '', '2026-06-30').problems).toEqual([]);
  });

  test('a type goes with the last field that led to it', () => {
    const [, field] = removals[0]!;
    const both = RELEASED.slice(RELEASED.indexOf(field), RELEASED.indexOf('enum'));
    const without = both.replace(field, '').replace('type Old { text: String }', '');
    expect(changed(both, without, '2026-06-29').problems).toHaveLength(2);
    expect(changed(both, without, '2026-06-30').problems).toEqual([]);
  });

  test('a type that is still used stays', () => {
    expect(changed('type Old { text: String }', 'type Old { id: ID }', '2026-06-29').problems).toHaveLength(
      1,
    );
  });
});

test.each(['Use name.', 'Removal not before 2026-02-30.', 'Removal not before summer.'])(
  'FG-34 a deprecation without a date is refused: %s',
  (reason) => {
    const { problems } = changed('name: String', `name: String @deprecated(reason: "${reason}")`);
    expect(problems).toEqual([
      'Patient.name is deprecated without a date. End the reason with "Removal not before YYYY-MM-DD.".',
    ]);
    expect(changed('sort: String', `sort: String @deprecated(reason: "${reason}")`).problems[0]).toMatch(
      /^Patient\.list\.sort is deprecated without a date/,
    );
  },
);

test('FG-34 an accepted change passes, and the list has no others', () => {
  const accepted = { 'Patient.name was removed.': 'It is in `names`.' };
  expect(changed('name: String', '', '2026-01-01', accepted).problems).toEqual([]);
  expect(changed('name: String', 'name: String', '2026-01-01', accepted).problems).toEqual([
    'accepted-changes.ts: remove "Patient.name was removed.": the API has no such change.',
  ]);
});

test('FG-34 additions are allowed, and named', () => {
  expect(changed('ACTIVE', 'ACTIVE NEW')).toEqual({
    problems: [],
    additions: ['NEW was added to enum type Status.'],
  });
  expect(changed('name: String', 'name: String given: String')).toEqual({ problems: [], additions: [] });
});

test.each([
  ['0.1.0', '0.1.9', false],
  ['0.1.0', '0.2.0', true],
  ['0.9.0', '1.0.0', true],
  ['1.2.0', '1.10.0', false],
  ['1.2.0', '2.0.0', true],
])('FG-34 after %s, version %s may break clients: %s', (released, version, expected) => {
  expect(mayBreak(releasedText(RELEASED, released), version)).toBe(expected);
});

test('the released text has no descriptions', () => {
  expect(releasedText('"""Root""" type Query { "A field" a("An argument" b: Int): Int }', '1.2.3')).toBe(
    '# The API of version 1.2.3, without descriptions. `npm run release:contract` writes it.\n\n' +
      'type Query {\n  a(b: Int): Int\n}\n',
  );
});
