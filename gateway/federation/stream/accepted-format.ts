import { writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { parseAccept } from '../../../schema/http/media-ranges.ts';
import { csv } from './csv.ts';
import { NEXT, type RowFormat } from './row-format.ts';

/** One JSON object in each line, with decimals as in other answers. */
const ndjson: RowFormat = {
  type: 'application/x-ndjson',
  head: () => '',
  row: (row, _leaves, next) => line(next === undefined ? row : { ...row, [NEXT]: next }),
  error: (error) => line({ _error: error }),
};

const line = (value: object) => `${writeFhirJson(value)}\n`;

const FORMATS: ReadonlyMap<string, RowFormat> = new Map([
  ['application/x-ndjson', ndjson],
  ['text/csv', csv],
]);

/**
 * Returns the format in which a client wants the rows of a query as a stream; undefined for a client that prefers another
 * answer or names no such format (RFC 9110 §12.5.1, FG-29).
 * @throws Fault like `parseAccept`
 */
export function acceptedFormat(accept: string | undefined): RowFormat | undefined {
  return FORMATS.get(parseAccept(accept)[0]?.type ?? '');
}
