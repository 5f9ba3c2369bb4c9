/** The rows of a list as files. */
import { writeFhirJson } from '../../../../schema/fhir/decimal.ts';
import { csvRecord } from '../../../../schema/http/csv.ts';
import { numberOf, textOf, type Cell, type ResultTable } from './lists.ts';

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
 * Writes Apache Parquet, compressed by Snappy. Numbers are doubles, dates are texts as the record has them: they may be a
 * month, or in any zone.
 */
export async function parquetOf({ columns, rows }: ResultTable): Promise<ArrayBuffer> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const types = { number: 'DOUBLE', 'yes/no': 'BOOLEAN', date: 'STRING', text: 'STRING' } as const;
  return parquetWriteBuffer({
    columnData: columns.map(({ name, type }, at) => ({
      name,
      type: types[type],
      nullable: true,
      data: rows.map((cells) => {
        const cell = cells[at]!;
        if (cell === null || type === 'yes/no') return cell;
        return type === 'number' ? numberOf(cell) : textOf(cell);
      }),
    })),
  });
}
