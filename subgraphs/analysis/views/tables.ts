import { readFileSync } from 'node:fs';
import type { SqlType, TableColumn } from './column-types.ts';
import { compileView } from './compile-view.ts';
import { dicomColumns } from './dicom-columns.ts';
import { ViewDefinitionError } from './findings.ts';
import type { ViewDefinition } from './view-definition.ts';
import type { CompiledView } from './view-steps.ts';

/** A table that is made by a view. */
export interface ViewTable {
  name: string;
  definition: ViewDefinition;
  view: CompiledView;
  /** Name of the column that has the id of the resource of a row; `RESOURCE_ID` where the view has none. */
  key: string;
}

/** Name of a column that a dataset adds: no column of a view may have it. */
export const RESOURCE_ID = '$id';

/** Names of our own views, in the order in which they are shown. Each is a file in `definitions/`. */
const OWN =
  'patient encounter condition observation observation_component procedure medication_request diagnostic_report service_request document_reference imaging_study imaging_series'.split(
    ' ',
  );

const column = (name: string, sqlType: SqlType, description?: string): TableColumn => {
  return { name, sqlType, collection: false, description };
};

/**
 * Tables of a dataset by which the rows of a caller are found. They are in no reach: the patients in whose compartment a
 * resource is; the ways of the record that lead to studies, step by step, and the studies that the resources on them name.
 */
export const HIDDEN_TABLES = {
  compartment: [column('type', 'VARCHAR'), column('id', 'VARCHAR'), column('patient_id', 'VARCHAR')],
  link_step: [
    column('type', 'VARCHAR'),
    column('id', 'VARCHAR'),
    column('to_type', 'VARCHAR'),
    column('to_id', 'VARCHAR'),
    column('own', 'BOOLEAN'),
    column('read', 'BOOLEAN'),
  ],
  link_end: [
    column('type', 'VARCHAR'),
    column('id', 'VARCHAR'),
    column('patient_id', 'VARCHAR'),
    column('study_id', 'VARCHAR'),
    column('rule', 'VARCHAR'),
    column('own', 'BOOLEAN'),
  ],
} as const satisfies Record<string, readonly TableColumn[]>;

/** See `otherTables`. */
const OTHER_TABLES = {
  imaging_instance: [
    column('id', 'VARCHAR', 'SOP Instance UID'),
    column('patient_id', 'VARCHAR'),
    column('study_id', 'VARCHAR'),
    column('series_id', 'VARCHAR', 'Series Instance UID'),
    column('sop_class', 'VARCHAR', 'SOP Class UID'),
    column('number', 'INTEGER', 'Instance Number'),
    column('frames', 'INTEGER', 'Number of Frames'),
    column('rows', 'INTEGER'),
    column('columns', 'INTEGER'),
  ],
  study_link: [
    column('type', 'VARCHAR', 'Type of the resource'),
    column('resource_id', 'VARCHAR'),
    column('patient_id', 'VARCHAR'),
    column('study_id', 'VARCHAR'),
    column('rule', 'VARCHAR', 'uid or accession'),
  ],
} as const satisfies Record<string, readonly TableColumn[]>;

/**
 * Returns the columns of the tables that no view makes: the index of images, and the joins of docs/joins.md, which are made
 * for each caller.
 * @param dicom keywords of `analysis.dicom`
 */
export function otherTables(
  dicom: readonly string[],
): Record<keyof typeof OTHER_TABLES, readonly TableColumn[]> {
  const { imaging_instance, study_link } = OTHER_TABLES;
  return { imaging_instance: [...imaging_instance, ...dicomColumns(dicom)], study_link };
}

/** Returns our own tables. Each call compiles them anew: a compiled view serves one caller at a time. */
export function ownTables(): ViewTable[] {
  return OWN.map((name) => {
    const file = new URL(`./definitions/${name}.json`, import.meta.url);
    return tableOf(JSON.parse(readFileSync(file, 'utf8')));
  });
}

/** Reserved for the tables of the engine, and for those that no view makes. */
const RESERVED: ReadonlySet<string> = new Set([...Object.keys(HIDDEN_TABLES), ...Object.keys(OTHER_TABLES)]);

/**
 * Returns our own tables, and those of a tenant's ViewDefinitions.
 * @throws ViewDefinitionError that names the view: for a wrong one, one without name, and a name that exists already
 */
export function tablesOf(own: readonly unknown[]): ViewTable[] {
  const tables = ownTables();
  for (const definition of own) {
    const table = tableOf(definition);
    const key = table.name.toLowerCase();
    if (RESERVED.has(key) || tables.some(({ name }) => name.toLowerCase() === key)) {
      throw new ViewDefinitionError([{ path: 'name', message: `There is a table ${table.name} already.` }]);
    }
    tables.push(table);
  }
  return tables;
}

function tableOf(definition: unknown): ViewTable {
  const view = compileView(definition);
  const { name } = definition as ViewDefinition;
  if (name !== undefined)
    return { name, definition: definition as ViewDefinition, view, key: keyOf(view, definition) };
  throw new ViewDefinitionError([{ path: 'name', message: 'A table needs a name.' }]);
}

/** Returns the name of a column that has the id of the resource in each row. */
function keyOf({ columns }: CompiledView, definition: unknown): string {
  const { select } = definition as ViewDefinition;
  const named = select.flatMap(({ forEach, forEachOrNull, repeat, column = [] }) =>
    (forEach ?? forEachOrNull ?? repeat) === undefined
      ? column.flatMap(({ name, path }) => (path.trim() === 'getResourceKey()' ? name : []))
      : [],
  );
  const isText = ({ name, sqlType, collection }: TableColumn) =>
    named.includes(name) && sqlType === 'VARCHAR' && !collection;
  return columns.find(isText)?.name ?? RESOURCE_ID;
}
