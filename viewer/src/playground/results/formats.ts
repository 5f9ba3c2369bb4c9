/** The rows of a list as files. */
import { writeFhirJson } from '../../../../schema/fhir/decimal.ts';
import { csvRecord } from '../../../../schema/http/csv.ts';
import { numberOf, textOf, type Cell, type ResultTable } from './lists.ts';
import { momentsOf, type Moments } from './moments.ts';

/** Writes CSV in UTF-8, with a header. */
export function csvOf({ columns, rows }: ResultTable): string {
  const lines = [columns.map(({ name }) => name), ...rows.map((cells) => cells.map(textOf))];
  return lines.map(csvRecord).join('');
}

/** Writes a JSON object for each row, each on a line of its own. */
export function ndjsonOf(table: ResultTable): string {
  return objectsOf(table)
    .map((row) => `${writeFhirJson(row)}\n`)
    .join('');
}

/** Returns rows as objects with the names of columns. */
export function objectsOf({ columns, rows }: ResultTable): Record<string, Cell>[] {
  return rows.map((cells) => Object.fromEntries(columns.map(({ name }, at) => [name, cells[at]!])));
}

/**
 * Writes Apache Parquet, compressed by Snappy. Numbers are doubles; dates and times are such where all of a column are: see
 * `momentsOf`.
 */
export async function parquetOf({ columns, rows }: ResultTable): Promise<ArrayBuffer> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const written = columns.map(({ name, type }, at): Written => {
    const cells = rows.map((row) => row[at]!);
    if (type === 'number') return { element: { type: 'DOUBLE' }, name, data: cells.map(numberOrNull) };
    if (type === 'yes/no') return { element: { type: 'BOOLEAN' }, name, data: cells };
    const moments = type === 'date' ? momentsOf(cells) : undefined;
    if (moments) return { name, ...moments };
    const element = { type: 'BYTE_ARRAY', converted_type: 'UTF8' } as const;
    return { name, element, data: cells.map((cell) => (cell === null ? null : textOf(cell))) };
  });
  return parquetWriteBuffer({
    schema: [
      { name: 'root', num_children: columns.length },
      ...written.map(({ name, element }) => ({ name, repetition_type: 'OPTIONAL' as const, ...element })),
    ],
    columnData: written.map(({ name, data }) => ({ name, data })),
  });
}

/** A column as it is written. */
interface Written extends Moments {
  name: string;
}

const numberOrNull = (cell: Cell) => numberOf(cell) ?? null;
