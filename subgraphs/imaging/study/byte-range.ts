import { Fault } from '../../../schema/fault/fault.ts';
import type { BulkData } from '../sources/source.ts';
import type { Payload } from './answer.ts';

/** Ranges of bodies in a single part (RFC 9110 §14). */

/** Positions of the first and the last byte. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Parses one byte range (RFC 9110 §14.1.2); undefined if there is none. Several ranges and other units are ignored.
 * @throws Fault `range_not_satisfiable`
 */
export function byteRange(header: string | undefined, size: number): ByteRange | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/i.exec(header?.trim() ?? '') ?? [];
  // A range that ends before it starts is ignored, too.
  if ((!from && !to) || (from && to && Number(to) < Number(from))) return undefined;
  const start = from ? Number(from) : Math.max(0, size - Number(to));
  const end = from && to ? Math.min(Number(to), size - 1) : size - 1;
  if (start > end) throw new Fault('range_not_satisfiable', `The object has ${size} bytes.`, { size });
  return { start, end };
}

/** Returns the status and the headers of an answer with a range of a body, or with all of it. */
export function rangeHeaders(
  range: ByteRange | undefined,
  size: number,
): { status?: number; headers: Record<string, string> } {
  const headers = { 'accept-ranges': 'bytes' };
  if (!range) return { headers: { ...headers, 'content-length': String(size) } };
  const { start, end } = range;
  return {
    status: 206,
    headers: {
      ...headers,
      'content-range': `bytes ${start}-${end}/${size}`,
      'content-length': String(end - start + 1),
    },
  };
}

/**
 * Gives bulk data without multipart, or a range of them if their size is known.
 * @param rangeHeader the header Range
 * @throws Fault `range_not_satisfiable`
 */
export function wholeOrRange({ mediaType, size, open }: BulkData, rangeHeader: string | undefined): Payload {
  const type = { 'content-type': mediaType };
  if (size === undefined) return { headers: type, body: open() };
  const range = byteRange(rangeHeader, size);
  const { headers, ...status } = rangeHeaders(range, size);
  return { ...status, headers: { ...type, ...headers }, body: open(range) };
}

/** Yields a range of the bytes that come in pieces, and reads no further than its end. */
export async function* withinRange(
  pieces: AsyncIterable<Uint8Array>,
  { start, end }: ByteRange,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const piece of pieces) {
    const part = piece.subarray(Math.max(0, start - at), Math.max(0, end + 1 - at));
    at += piece.length;
    if (part.length > 0) yield part;
    if (at > end) return;
  }
}
