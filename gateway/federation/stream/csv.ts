import { parseFhirJson, primitiveText, writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { csvCell, csvRecord } from '../../../schema/http/csv.ts';
import { blockWriter, columnsOf, pathsOf } from './columns.ts';
import { NEXT, type StreamFormat } from './row-format.ts';

/**
 * CSV (RFC 4180): one column for each leaf of the selection, named by its path (`code.text`), and `_next`. Lists of scalars
 * are joined by `; `, and so are those of objects of which one field is selected; lists of other objects are JSON.
 */
export const csv: StreamFormat = {
  type: 'text/csv; charset=utf-8; header=present',
  of(selection) {
    const columns = columnsOf([selection]);
    return {
      head: csvRecord([...pathsOf(columns), NEXT]),
      write: blockWriter(columns, { cellOf, valuesOf })(selection),
    };
  },
  line: (row, next = '') => `${row},${next}\r\n`,
  // A line of CSV about an error would be read as a row.
  error: () => '',
};

/** Returns the cell for a value in JSON. */
export function cellOf(json: string): string {
  if (json === 'null') return '';
  if (json.startsWith('"'))
    return csvCell(json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1));
  return json.startsWith('[') ? csvCell(listText(json)) : json;
}

/**
 * Returns the cell for a list of objects of which one field is selected.
 * @param path names down to that field
 */
export function valuesOf(json: string, path: readonly string[]): string {
  const texts = valuesAt(parseFhirJson(json), path).map((one) =>
    typeof one === 'object' ? writeFhirJson(one) : primitiveText(one),
  );
  return csvCell(texts.join('; '));
}

function valuesAt(value: unknown, path: readonly string[]): unknown[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.flatMap((one) => valuesAt(one, path));
  const [name, ...rest] = path;
  return name === undefined ? [value] : valuesAt((value as Record<string, unknown>)[name], rest);
}

function listText(json: string): string {
  const items = parseFhirJson(json) as unknown[];
  const isOfScalars = items.every((one) => typeof one !== 'object' || one === null);
  return isOfScalars ? items.map((one) => (one === null ? '' : primitiveText(one))).join('; ') : json;
}
