import { primitiveText, writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { csvRecord } from '../../../schema/http/csv.ts';
import type { Leaf } from './row-leaves.ts';
import { NEXT, type RowFormat } from './row-format.ts';

/**
 * CSV (RFC 4180): one column for each leaf of the selection, named by its path (`code.text`), and `_next`. Lists of scalars
 * are joined by `; `, lists of objects are JSON.
 */
export const csv: RowFormat = {
  type: 'text/csv; charset=utf-8; header=present',
  head: (leaves) => csvRecord([...leaves.map((path) => path.join('.')), NEXT]),
  row: (row, leaves, next = '') => csvRecord([...leaves.map((path) => textOf(valueAt(row, path))), next]),
  // A line of CSV about an error would be read as a row.
  error: () => '',
};

function valueAt(row: object, path: Leaf): unknown {
  let value: unknown = row;
  for (const name of path) value = (value as Record<string, unknown> | null | undefined)?.[name];
  return value;
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'object') return primitiveText(value);
  const isOfScalars = Array.isArray(value) && value.every((one) => typeof one !== 'object' || one === null);
  return isOfScalars ? value.map(textOf).join('; ') : writeFhirJson(value);
}
