import { parseAccept } from '../../../schema/http/media-ranges.ts';
import { objectText } from '../executor/write.ts';
import { csv } from './csv.ts';
import { NEXT, type StreamFormat } from './row-format.ts';

/** One JSON object in each line, with decimals as in other answers. */
const ndjson: StreamFormat = {
  type: 'application/x-ndjson',
  of: (selection) => ({ head: '', write: (row, place) => objectText(selection, row, place) }),
  line: (row, next) =>
    next === undefined ? `${row}\n` : `${row.slice(0, -1)},"${NEXT}":${JSON.stringify(next)}}\n`,
  error: (error) => `${JSON.stringify({ _error: error })}\n`,
};

const FORMATS: ReadonlyMap<string, StreamFormat> = new Map([
  ['application/x-ndjson', ndjson],
  ['text/csv', csv],
]);

/**
 * Returns the format in which a client wants the rows of a query as a stream; undefined for a client that prefers another
 * answer or names no such format (RFC 9110 §12.5.1, FG-29).
 * @throws Fault like `parseAccept`
 */
export function acceptedFormat(accept: string | undefined): StreamFormat | undefined {
  return FORMATS.get(parseAccept(accept)[0]?.type ?? '');
}
