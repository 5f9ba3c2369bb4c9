import { describe, expect, test } from 'vitest';
import { mistakesOf } from './catalogue.ts';
import { publishedQuestion } from './published-question.ts';

const view = (name: string, path = 'getResourceKey()') => ({
  resourceType: 'ViewDefinition',
  name,
  resource: 'Patient',
  select: [{ column: [{ name: 'id', path }] }],
});
const mistakes = (definitions: readonly unknown[], statements: readonly string[] = []) =>
  mistakesOf({
    views: definitions.map((_, index) => `/views/${index}.json`),
    definitions,
    dicom: [],
    questions: statements.map((_, index) => `/questions/q${index}.sql`),
    statements,
  }).map(({ path, reason }) => `${path}: ${reason}`);

describe('mistakes in the files of a tenant', () => {
  test.each([
    ['none', [view('lesions')], ['SELECT 1'], []],
    [
      'a wrong path',
      [view('lesions'), view('others', 'id.')],
      [],
      [expect.stringMatching(/^analysis\.views\[1\]: select\[0\]\.column\[0\]\.path: /)],
    ],
    ['a name of ours', [view('patient')], [], ['analysis.views[0]: name: There is a table patient already.']],
    [
      'a name twice',
      [view('lesions'), view('Lesions')],
      [],
      ['analysis.views[1]: name: There is a table Lesions already.'],
    ],
    ['no object', ['text'], [], ['analysis.views[0]: This is no ViewDefinition.']],
    [
      'a type that no parameter has',
      [],
      ['-- @param: code code\nSELECT :code'],
      [
        'analysis.questions[0]: @param reads: name type description. The type is one of string, integer, date, dateTime, boolean, decimal',
      ],
    ],
    [
      'an annotation that there is not',
      [],
      ['-- @titel: x\nSELECT 1'],
      ['analysis.questions[0]: there is no annotation @titel'],
    ],
    [
      'a question twice',
      [],
      ['-- @name: one\nSELECT 1', '-- @name: one\nSELECT 2'],
      ['analysis.questions[1]: there is a question one already'],
    ],
  ])('%s', (_what, definitions, statements, expected) => {
    expect(mistakes(definitions, statements)).toEqual(expected);
  });
});

test('annotations of a file become a Library', () => {
  const sql = `/*
@title: Last HbA1c
 * @version: 1.0.0
*/
-- @param: from date First day
-- @param: code string
-- @relatedDependency: http://example.org/ViewDefinition/bp-view|2
-- @relatedDependency: http://example.org/x as p
SELECT ':@title: no' AS x`;
  expect(publishedQuestion('last-hba1c.sql', sql)).toMatchObject({
    resourceType: 'Library',
    id: 'last-hba1c',
    name: 'last_hba1c',
    title: 'Last HbA1c',
    version: '1.0.0',
    status: 'draft',
    parameter: [
      { name: 'from', type: 'date', use: 'in', documentation: 'First day' },
      { name: 'code', type: 'string', use: 'in' },
    ],
    relatedArtifact: [
      { type: 'depends-on', label: 'bp_view' },
      { type: 'depends-on', label: 'p', resource: 'http://example.org/x' },
    ],
    content: [{ contentType: 'application/sql', data: Buffer.from(sql).toString('base64') }],
  });
});
