import { createHash } from 'node:crypto';
import { CODED } from '../../../../schema/fhir/facets.ts';
import { clinicalResources, tables } from '../../../../schema/fhir/tables.ts';
import { bindingParameter } from '../../search/reach.ts';

/** Increase it when the rows change, so that stores of older versions are built again. */
const STORE_VERSION = 10;

/**
 * Returns a hash of the version, the search parameters and those of which there are lists. A store with another one cannot be
 * searched.
 */
export function storeSchema(): string {
  const hash = createHash('sha256').update(`${STORE_VERSION}\n`);
  const binding = clinicalResources.map(bindingParameter);
  return hash.update(JSON.stringify([tables.searchParameters, CODED, binding])).digest('hex');
}

/**
 * Tables of the store. `param` is the number of one search parameter of one resource type. The index tables are ordered by
 * resource: rows are only appended during a load, and the conditions on one resource are checked without another index.
 * `facet` has the values of coded elements, and the patients (as `code`): the number of resources, the first one, and all of
 * them as 32-bit integers.
 * `date_list` has the dates of a few weeks each: in which times they begin and end, the number of rows, and the resources.
 */
export const TABLES = `
CREATE TABLE fingerprint (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE param (param INTEGER PRIMARY KEY, type TEXT, code TEXT, valued INTEGER);
CREATE TABLE resource (rid INTEGER PRIMARY KEY, type TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL);
CREATE TABLE token (rid INTEGER, param INTEGER, code TEXT, system TEXT,
  PRIMARY KEY (rid, param, code, system)) WITHOUT ROWID;
CREATE TABLE string (rid INTEGER, param INTEGER, value TEXT, exact TEXT,
  PRIMARY KEY (rid, param, value, exact)) WITHOUT ROWID;
CREATE TABLE date (rid INTEGER, param INTEGER, low REAL, high REAL,
  PRIMARY KEY (rid, param, low, high)) WITHOUT ROWID;
CREATE TABLE number (rid INTEGER, param INTEGER, low REAL, high REAL, system TEXT, code TEXT, unit TEXT,
  PRIMARY KEY (rid, param, low, high, system, code, unit)) WITHOUT ROWID;
CREATE TABLE reference (rid INTEGER, param INTEGER, target TEXT,
  PRIMARY KEY (rid, param, target)) WITHOUT ROWID;
CREATE TABLE uri (rid INTEGER, param INTEGER, value TEXT,
  PRIMARY KEY (rid, param, value)) WITHOUT ROWID;
CREATE TABLE identifier (rid INTEGER, param INTEGER, value TEXT, kind TEXT,
  PRIMARY KEY (rid, param, value, kind)) WITHOUT ROWID;
CREATE TABLE presence (rid INTEGER, param INTEGER, PRIMARY KEY (rid, param)) WITHOUT ROWID;
CREATE TABLE composite (rid INTEGER, param INTEGER, head_code TEXT, head_system TEXT, code TEXT, system TEXT,
  low REAL, high REAL, unit TEXT, value TEXT, target TEXT);
CREATE TABLE facet (param INTEGER, code TEXT, system TEXT, count INTEGER, rid INTEGER, rids BLOB,
  PRIMARY KEY (param, code, system)) WITHOUT ROWID;
CREATE TABLE date_list (param INTEGER, low_from REAL, low_to REAL, high_from REAL, high_to REAL, count INTEGER, rids BLOB,
  PRIMARY KEY (param, low_from)) WITHOUT ROWID;
`;

/** The tables of values, each with its columns after `rid` and `param`. The first is the one by which it is sorted. */
export const ROW_COLUMNS = {
  token: ['code', 'system'],
  string: ['value', 'exact'],
  date: ['low', 'high'],
  number: ['low', 'high', 'system', 'code', 'unit'],
  reference: ['target'],
  uri: ['value'],
  identifier: ['value', 'kind'],
  presence: [],
  composite: ['head_code', 'head_system', 'code', 'system', 'low', 'high', 'unit', 'value', 'target'],
} as const satisfies Record<string, readonly string[]>;

export type RowTable = keyof typeof ROW_COLUMNS;

/** The tables whose rows belong to a resource (`rid`). */
export const ROW_TABLES: readonly string[] = ['resource', ...Object.keys(ROW_COLUMNS)];

/**
 * Indexes by which one resource and its rows are found, created after the load: filling a table with indexes takes twice as
 * long. Without them the removal of an earlier version would look at all rows.
 */
export const RESOURCE_INDEXES = [
  'CREATE INDEX IF NOT EXISTS resource_id ON resource (type, id)',
  'CREATE INDEX IF NOT EXISTS resource_type ON resource (type)',
  // Some columns of a composite are empty, so that they cannot be a key.
  'CREATE INDEX IF NOT EXISTS composite_rid ON composite (rid, param)',
];

/** Indexes by value. Resources with the same value are in the order of `rid`, which is the order of a sorted search. */
export const VALUE_INDEXES = [
  ...Object.entries(ROW_COLUMNS)
    .filter(([table]) => table !== 'presence' && table !== 'composite')
    .map(
      ([table, [first, ...others]]) =>
        `CREATE INDEX IF NOT EXISTS ${table}_value ON ${table} (${['param', first, 'rid', ...others].join(', ')})`,
    ),
  'CREATE INDEX IF NOT EXISTS composite_value ON composite (param, head_code, rid, head_system)',
];
