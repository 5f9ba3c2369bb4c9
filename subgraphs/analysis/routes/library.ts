import { Fault } from '../../../schema/fault/fault.ts';
import type { ParameterType } from '../sql/query.ts';
import { SQL_NAME } from '../views/view-definition.ts';
import { isObject, type Json } from './given.ts';
import { parameterType } from './sql-values.ts';

/** Libraries with SQL: profiles SQLQuery and SQLView of SQL on FHIR 3 (ballot). */

export const LIBRARY_TYPES = 'http://hl7.org/fhir/uv/sql-on-fhir/CodeSystem/LibraryTypesCodes';
export const SQL_TEXT = 'http://hl7.org/fhir/uv/sql-on-fhir/StructureDefinition/sql-text';

/** A Library, as far as it decides rows. */
export interface SqlLibrary {
  sql: string;
  /** Types of its parameters by name. */
  parameters: ReadonlyMap<string, ParameterType>;
  /** Tables that it names, each with the canonical URL of what is in it. */
  tables: readonly { label: string; canonical: string }[];
}

/** Kinds of content in order: that for this engine first. */
const CONTENTS = [/^application\/sql\s*;\s*dialect=["']?duckdb["']?\s*$/i, /^application\/sql\s*$/i];

/**
 * Reads a Library.
 * @throws Fault `unprocessable` for one that has no SQL for this engine, or whose parts are not as the profiles want
 */
export function readLibrary(library: Json): SqlLibrary {
  const contents = objectsIn(library['content']);
  const isOf = (pattern: RegExp) => (one: Json) => pattern.test(text(one['contentType']));
  const content = CONTENTS.map((pattern) => contents.find(isOf(pattern))).find(Boolean);
  const sql = content && sqlOf(content);
  if (!sql) throw wrong('It has no content of the type application/sql, with data or sql-text.');
  const parameters = objectsIn(library['parameter']).map(({ name, type, use }) => {
    if (use !== 'in' || typeof name !== 'string' || typeof type !== 'string')
      throw wrong('Each parameter needs name, type, and the use "in".');
    return [name, parameterType(type)] as const;
  });
  const related = objectsIn(library['relatedArtifact']).filter(({ type }) => type === 'depends-on');
  const tables = related.map(({ resource, label }) => {
    if (typeof resource !== 'string' || typeof label !== 'string' || !SQL_NAME.test(label))
      throw wrong('Each relatedArtifact needs resource, and as label the name of a table.');
    return { label, canonical: resource };
  });
  const labels = new Set(tables.map(({ label }) => label.toLowerCase()));
  if (labels.size < tables.length) throw wrong('Two tables have one label.');
  return { sql, parameters: new Map(parameters), tables };
}

function sqlOf({ data, extension }: Json): string | undefined {
  if (typeof data === 'string') return Buffer.from(data, 'base64').toString('utf8');
  const found = objectsIn(extension).find(({ url }) => url === SQL_TEXT);
  return text(found?.['valueString']) || undefined;
}

const wrong = (reason: string) => new Fault('unprocessable', `This Library cannot be run. ${reason}`);

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const objectsIn = (list: unknown): Json[] => (Array.isArray(list) ? list.filter(isObject) : []);
