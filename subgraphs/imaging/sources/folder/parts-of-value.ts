import type { Fragments } from '../../dicom/part10/dataset.ts';
import { swap } from '../../dicom/part10/values.ts';
import type { StoredFile } from '../stored/stored-file.ts';

/** Bytes read at a time, a multiple of every word size. */
const CHUNK = 512 * 1024;

/** A range of a value, with inclusive `end`. */
export interface ByteRange {
  start: number;
  end: number;
}

interface Span {
  offset: number;
  length: number;
}

/**
 * Yields a range of the bytes of a value in several parts. Small parts are read together, because an object may have a
 * million of them.
 */
export async function* partsWithin(
  stored: StoredFile,
  parts: Fragments,
  range: ByteRange,
): AsyncGenerator<Buffer> {
  let together: Span[] = [];
  for (const span of spansWithin(parts, range)) {
    const [first = span] = together;
    if (span.offset + span.length - first.offset > CHUNK && together.length > 0) {
      yield await readTogether(stored, together);
      together = [];
    }
    together.push(span);
  }
  if (together.length > 0) yield await readTogether(stored, together);
}

/** Yields words of `unit` bytes in the other byte order. The value has one part. */
export async function* turnedWords(
  stored: StoredFile,
  { offsets, lengths }: Fragments,
  unit: number,
  { start, end }: ByteRange,
): AsyncGenerator<Buffer> {
  const [offset, length] = [offsets[0]!, lengths[0]!];
  for (let at = start - (start % unit); at <= end; at += CHUNK) {
    const words = Buffer.allocUnsafeSlow(Math.min(CHUNK, length - at));
    await stored.read(words, offset + at);
    yield swap(words, unit).subarray(Math.max(0, start - at), end + 1 - at);
  }
}

/** Yields the positions of a range, in pieces of at most CHUNK. */
function* spansWithin({ offsets, lengths }: Fragments, { start, end }: ByteRange): Generator<Span> {
  let before = 0;
  for (let i = 0; i < lengths.length && before <= end; i++) {
    const to = Math.min(lengths[i]!, end + 1 - before);
    for (let at = Math.max(0, start - before); at < to; at += CHUNK)
      yield { offset: offsets[i]! + at, length: Math.min(CHUNK, to - at) };
    before += lengths[i]!;
  }
}

/** Reads spans in one piece, and removes the bytes between them. */
async function readTogether(stored: StoredFile, spans: readonly Span[]): Promise<Buffer> {
  const { offset: start } = spans[0]!;
  const last = spans.at(-1)!;
  const bytes = Buffer.allocUnsafeSlow(last.offset + last.length - start);
  await stored.read(bytes, start);
  let end = 0;
  for (const { offset, length } of spans) {
    bytes.copyWithin(end, offset - start, offset - start + length);
    end += length;
  }
  return bytes.subarray(0, end);
}
