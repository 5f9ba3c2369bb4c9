import type { Library, ParameterDefinition, RelatedArtifact } from 'fhir/r4.js';
import { SQL_NAME } from '../views/view-definition.ts';
import { LIBRARY_TYPES, SQL_TEXT } from './library.ts';

/** A file of SQL with annotations in its comments, as a Library (SQL on FHIR 3 ballot, SQLQuery, "SQL Annotations"). */

const PROFILE = 'http://hl7.org/fhir/uv/sql-on-fhir/StructureDefinition/SQLQuery';
const COMMENT = /\/\*[\s\S]*?\*\/|--[^\n\r]*/g;
const ANNOTATION = /^[\s*/-]*@([A-Za-z]+)\s*:\s*(.*?)\s*(?:\*\/)?\s*$/;
/** Types of parameters (SQLQuery, "Parameter Types"). */
const TYPES: readonly ParameterDefinition['type'][] = [
  'string',
  'integer',
  'date',
  'dateTime',
  'boolean',
  'decimal',
];
const ONCE = ['name', 'title', 'description', 'version', 'status', 'publisher'] as const;
const STATUSES = ['draft', 'active', 'retired'];

/** A mistake in the annotations of a file. */
export class AnnotationError extends Error {}

/**
 * Returns the Library of a file.
 * @param file its name without folder
 * @throws AnnotationError
 */
export function publishedQuestion(file: string, sql: string): Library {
  const given = annotationsIn(sql);
  const one = Object.fromEntries(
    ONCE.map((key) => [key, given.findLast(([name]) => name === key)?.[1] || undefined]),
  ) as Record<(typeof ONCE)[number], string | undefined>;
  const unknown = given.find(([name]) => ![...ONCE, 'author', 'param', 'relatedDependency'].includes(name));
  if (unknown) throw new AnnotationError(`there is no annotation @${unknown[0]}`);
  const all = (key: string) => given.filter(([name]) => name === key).map(([, value]) => value);
  const name = one.name ?? file.replace(/\.sql$/i, '').replace(/[^A-Za-z0-9_]+/g, '_');
  if (!SQL_NAME.test(name))
    throw new AnnotationError('@name begins with a letter, and has letters, digits and _ only');
  const status = one.status ?? 'draft';
  if (!STATUSES.includes(status)) throw new AnnotationError(`@status is one of ${STATUSES.join(', ')}`);
  const { title, description, version, publisher } = one;
  const [author, parameter, relatedArtifact] = [
    all('author').map((who) => ({ name: who })),
    all('param').map(parameterOf),
    all('relatedDependency').map(dependencyOf),
  ];
  return {
    resourceType: 'Library',
    id: name.replaceAll('_', '-').slice(0, 64),
    meta: { profile: [PROFILE] },
    name,
    ...(version && { version }),
    ...(title && { title }),
    status: status as Library['status'],
    type: { coding: [{ system: LIBRARY_TYPES, code: 'sql-query' }] },
    ...(publisher && { publisher }),
    ...(description && { description }),
    ...(author.length > 0 && { author }),
    ...(relatedArtifact.length > 0 && { relatedArtifact }),
    ...(parameter.length > 0 && { parameter }),
    content: [
      {
        extension: [{ url: SQL_TEXT, valueString: sql }],
        contentType: 'application/sql',
        data: Buffer.from(sql).toString('base64'),
      },
    ],
  };
}

/** Returns the annotations of all comments, in their order. A text that looks like a comment may have none. */
function annotationsIn(sql: string): [name: string, value: string][] {
  const lines = (sql.match(COMMENT) ?? []).flatMap((comment) => comment.split(/\r?\n/));
  return lines.flatMap((line): [string, string][] => {
    const [, name, value = ''] = ANNOTATION.exec(line) ?? [];
    return name === undefined ? [] : [[name, value]];
  });
}

function parameterOf(text: string): ParameterDefinition {
  const [name = '', asked, ...documentation] = text.split(/\s+/);
  const type = TYPES.find((one) => one === asked);
  if (!/^[A-Za-z_]\w*$/.test(name) || !type)
    throw new AnnotationError(`@param reads: name type description. The type is one of ${TYPES.join(', ')}`);
  const said = documentation.join(' ');
  return { name, use: 'in', type, ...(said && { documentation: said }) };
}

function dependencyOf(text: string): RelatedArtifact {
  const [, resource = '', named] = /^(\S+)(?:\s+as\s+(\S+))?$/.exec(text) ?? [];
  const label = named ?? resource.replace(/\|.*$/, '').replace(/^.*\//, '').replaceAll('-', '_');
  if (!SQL_NAME.test(label)) throw new AnnotationError('@relatedDependency reads: URL as table');
  return { type: 'depends-on', resource, label };
}
