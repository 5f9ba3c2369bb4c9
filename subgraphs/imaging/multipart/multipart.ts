import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { chunksOf } from './chunks.ts';
import { WrittenBody } from './written-body.ts';

/** multipart/related (RFC 2387) as DICOMweb uses it (PS3.18 §8.6.1.2): read and written as streams, never gathered. */

/** One part to be written. */
export interface OutgoingPart {
  /** Header fields, in order; Content-Length is added where the size is known. */
  headers: Readonly<Record<string, string>>;
  /** Bytes, where known. */
  size?: number;
  body: Uint8Array | AsyncIterable<Uint8Array>;
}

/** One part as it was read. Its body must be read, or is skipped, before the next part comes. */
export interface IncomingPart {
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  size?: number;
  body: AsyncGenerator<Buffer, void, void>;
}

/** A multipart body that ended before its closing delimiter, or is none. */
export class MultipartError extends Error {}

/** One that ended before its closing delimiter. */
export class TruncatedMultipart extends MultipartError {}

/** 244 random bits, which are at hand where others would be fetched: cannot occur in the data by chance (DW-13). */
export function randomBoundary(): string {
  return `${randomUUID()}${randomUUID()}`.replaceAll('-', '');
}

/** The boundary of a multipart Content-Type (RFC 2046 §5.1.1), or undefined when it is none. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  if (!/^\s*multipart\/related\b/i.test(contentType ?? '')) return undefined;
  const match = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType ?? '');
  return match?.[1] ?? match?.[2];
}

/** A multipart body. Each part is asked for when the one before was taken, so memory does not grow with their number. */
export function writeMultipart(parts: AsyncIterable<OutgoingPart>, boundary: string): Readable {
  return new WrittenBody(chunks(parts, boundary));
}

async function* chunks(parts: AsyncIterable<OutgoingPart>, boundary: string): AsyncGenerator<Uint8Array> {
  let delimiter = `--${boundary}`;
  for await (const part of parts) {
    yield Buffer.from(`${delimiter}${partHead(part)}`, 'latin1');
    delimiter = `\r\n--${boundary}`;
    if (part.body instanceof Uint8Array) yield part.body;
    else yield* counted(part.body, part.size);
  }
  yield Buffer.from(`${delimiter}--\r\n`, 'latin1');
}

/** What follows the boundary of a part: its header fields, and Content-Length where the size is known. */
export function partHead({ headers, size }: Omit<OutgoingPart, 'body'>): string {
  let fields = '';
  for (const name in headers) fields += `${name}: ${headers[name]}\r\n`;
  if (size !== undefined) fields += `Content-Length: ${size}\r\n`;
  return `\r\n${fields}\r\n`;
}

/** Bytes of a body of this one part: an answer whose length is said needs no chunks. */
export function lengthOfOne(part: Omit<OutgoingPart, 'body'> & { size: number }, boundary: string): number {
  return `--${boundary}${partHead(part)}\r\n--${boundary}--\r\n`.length + part.size;
}

/** A part whose bytes are not as many as announced would shift everything after it: better no answer (DW-13). */
async function* counted(
  body: AsyncIterable<Uint8Array>,
  size: number | undefined,
): AsyncGenerator<Uint8Array> {
  let sent = 0;
  for await (const chunk of body instanceof Readable ? chunksOf(body) : body) {
    sent += chunk.length;
    if (size !== undefined && sent > size) break;
    yield chunk;
  }
  if (size !== undefined && sent !== size) {
    throw new MultipartError(`A part of ${size} bytes has ${sent > size ? 'more' : `only ${sent}`}.`);
  }
}

/** Bytes of a part's header. */
export const HEADER_LIMIT = 16 * 1024;
const CRLF_CRLF = Buffer.from('\r\n\r\n');

/**
 * Reads the parts of a multipart body.
 * @throws MultipartError when the body ends before the closing delimiter, whether or not a part was under way
 */
export async function* readMultipart(
  source: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<IncomingPart, void, void> {
  const input = new Input(source);
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  try {
    // The first delimiter may open the body; a line break before it makes it look like all others.
    input.unread(Buffer.from('\r\n'));
    for await (const preamble of maxEntries(input, delimiter)) void preamble;
    while (!(await closes(input))) {
      const head = parsePartHead(await input.take(CRLF_CRLF, HEADER_LIMIT));
      const body =
        head.size === undefined ? maxEntries(input, delimiter) : exactly(input, head.size, delimiter);
      yield { ...head, body };
      for await (const rest of body) void rest;
    }
  } finally {
    await input.close();
  }
}

/** After a delimiter: `--` ends the body; padding and a line break precede the next part's header (RFC 2046 §5.1.1). */
async function closes(input: Input): Promise<boolean> {
  const two = await input.exactly(2);
  if (two.toString('latin1') === '--') return true;
  // The line break may be the first half of the blank line of a part without a header.
  input.unread(two);
  const line = await input.take(Buffer.from('\r\n'), HEADER_LIMIT);
  if (line.toString('latin1').trim() !== '')
    throw new MultipartError('The boundary is followed by other text.');
  input.unread(Buffer.from('\r\n'));
  return false;
}

/** What stands before the blank line of a part. */
export function parsePartHead(block: Buffer): Omit<IncomingPart, 'body'> {
  const headers: Record<string, string> = {};
  for (const field of block.toString('latin1').split('\r\n')) {
    const colon = field.indexOf(':');
    if (colon > 0) headers[field.slice(0, colon).trim().toLowerCase()] = field.slice(colon + 1).trim();
  }
  const length = headers['content-length'];
  return { headers, ...(length !== undefined && /^\d+$/.test(length) && { size: Number(length) }) };
}

/** The fast way: as many bytes as the part's Content-Length says, then the delimiter. */
async function* exactly(input: Input, size: number, delimiter: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let left = size; left > 0;) {
    const chunk = await input.some();
    if (chunk.length > left) input.unread(chunk.subarray(left));
    const taken = chunk.length > left ? chunk.subarray(0, left) : chunk;
    left -= taken.length;
    yield taken;
  }
  if (!(await input.exactly(delimiter.length)).equals(delimiter)) {
    throw new MultipartError('A part is longer than its Content-Length.');
  }
}

/** The slow way: everything before the next delimiter, which is consumed. */
async function* maxEntries(input: Input, delimiter: Buffer): AsyncGenerator<Buffer, void, void> {
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await input.some();
    const bytes = held.length > 0 ? Buffer.concat([held, chunk]) : chunk;
    const at = bytes.indexOf(delimiter);
    if (at >= 0) {
      input.unread(bytes.subarray(at + delimiter.length));
      if (at > 0) yield bytes.subarray(0, at);
      return;
    }
    // The last bytes may be the beginning of a delimiter.
    const safe = Math.max(0, bytes.length - delimiter.length + 1);
    held = bytes.subarray(safe);
    if (safe > 0) yield bytes.subarray(0, safe);
  }
}

/** Chunks of a source, with the bytes that were read too far given back. */
class Input {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #back: Buffer[] = [];

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source instanceof Readable ? chunksOf(source) : source[Symbol.asyncIterator]();
  }

  /** The next bytes, at least one. */
  async some(): Promise<Buffer> {
    for (;;) {
      const again = this.#back.pop();
      if (again) {
        if (again.length > 0) return again;
        continue;
      }
      const { done, value } = await this.#source.next();
      if (done) throw new TruncatedMultipart('The body ended before its closing delimiter.');
      if (value.length > 0) return Buffer.from(value.buffer, value.byteOffset, value.length);
    }
  }

  unread(bytes: Buffer): void {
    this.#back.push(bytes);
  }

  async exactly(length: number): Promise<Buffer> {
    let bytes = await this.some();
    while (bytes.length < length) bytes = Buffer.concat([bytes, await this.some()]);
    this.unread(bytes.subarray(length));
    return bytes.subarray(0, length);
  }

  /** The bytes before the mark, which is consumed. */
  async take(mark: Buffer, limit: number): Promise<Buffer> {
    let bytes = await this.some();
    for (;;) {
      const at = bytes.indexOf(mark);
      if (at >= 0) {
        this.unread(bytes.subarray(at + mark.length));
        return bytes.subarray(0, at);
      }
      if (bytes.length > limit) throw new MultipartError('A part header is too long.');
      bytes = Buffer.concat([bytes, await this.some()]);
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
