import type { OperationDefinition, OperationDefinitionParameter } from 'fhir/r4.js';

/**
 * Our definitions of `$sql-run` and `$sql-export` (SQL on FHIR 3 ballot, "Declaring partial operation support"): this server
 * takes a part of the parameters of the standard, and some of its own.
 */

const STANDARD = 'http://hl7.org/fhir/uv/sql-on-fhir/OperationDefinition';

type ParameterType = NonNullable<OperationDefinitionParameter['type']>;
type Row = [name: string, max: '1' | '*', type: ParameterType, documentation?: string];

const parameter = ([name, max, type, documentation]: Row, min = 0): OperationDefinitionParameter => ({
  name,
  use: 'in',
  min,
  max,
  type,
  documentation,
});

const SUBJECT: Row[] = [
  ['subjectCanonical', '1', 'canonical', 'One of the three names the subject.'],
  ['subjectReference', '1', 'Reference'],
  [
    'subjectResource',
    '1',
    'Resource',
    'A ViewDefinition or a Library. A ViewDefinition runs over at most 50,000 resources.',
  ],
  ['parameters', '1', 'Parameters', 'Values for the parameters of a Library.'],
];
const OF_BOTH: Row[] = [
  ['context', '*', 'Resource'],
  ['patient', '*', 'Reference'],
  ['group', '*', 'Reference'],
  ['_format', '1', 'code', 'ndjson (default), csv, json, parquet'],
  ['header', '1', 'boolean'],
];

/** The operations by the last part of the path of their definitions. */
const OPERATIONS = {
  'sql-run': {
    base: `${STANDARD}/SQLRun`,
    name: 'SqlRun',
    title: 'Rows of a question',
    affectsState: false,
    description:
      'Answers a ViewDefinition, a Library with SQL, or a statement that is sent as application/sql (its parameters are then in the URL), over the rows that the caller may see.',
    parameter: [
      ...[...SUBJECT, ...OF_BOTH].map((row) => parameter(row)),
      parameter(['_limit', '1', 'integer']),
      { name: 'return', use: 'out', min: 1, max: '1', type: 'Binary' },
    ],
  },
  'sql-export': {
    base: `${STANDARD}/SQLExport`,
    name: 'SqlExport',
    title: 'Files of questions',
    affectsState: true,
    description: 'Writes the answers of several questions to files, which are kept for a day.',
    parameter: [
      {
        name: 'subject',
        use: 'in',
        min: 1,
        max: '*',
        part: [parameter(['name', '1', 'string']), ...SUBJECT.map((row) => parameter(row))],
      },
      ...OF_BOTH.map((row) => parameter(row)),
      parameter(['clientTrackingId', '1', 'string']),
      parameter([
        'partition',
        '1',
        'boolean',
        'Parquet files in Hive folders, with a manifest for other engines.',
      ]),
      { name: 'return', use: 'out', min: 1, max: '1', type: 'Parameters' },
    ],
  },
} as const satisfies Record<string, Partial<OperationDefinition>>;

type SqlOperation = keyof typeof OPERATIONS;

export const SQL_OPERATIONS = Object.keys(OPERATIONS) as SqlOperation[];

/** Returns the path of a definition below `/fhir`. */
export const sqlOperationPath = (code: SqlOperation): string => `OperationDefinition/${code}`;

/** Returns a definition. @param base absolute base of FHIR REST */
export function sqlOperation(code: SqlOperation, base: string): OperationDefinition {
  return {
    resourceType: 'OperationDefinition',
    id: code,
    url: `${base}/${sqlOperationPath(code)}`,
    status: 'active',
    kind: 'operation',
    code,
    system: true,
    type: false,
    instance: false,
    ...OPERATIONS[code],
  };
}
