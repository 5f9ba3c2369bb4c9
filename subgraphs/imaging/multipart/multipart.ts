import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { chunksOf } from './chunks.ts';
import { WrittenBody } from './written-body.ts';

/** multipart/related (RFC 2387) as DICOMweb uses it (PS3.18 §8.6.1.2), read and written as streams. */

/** One part to write. */
export interface OutgoingPart {
  /** Header fields, in order. Content-Length is added if the size is known. */
  headers: Readonly<Record<string, string>>;
  /** Bytes, if known. */
  size?: number;
  body: Uint8Array | AsyncIterable<Uint8Array>;
}

/** One part that was read. Its body must be read before the next part, or is skipped. */
export interface IncomingPart {
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  size?: number;
  body: AsyncGenerator<Buffer, void, void>;
}

/** A multipart body that is not valid, or not complete. */
export class MultipartError extends Error {}

/** A multipart body that ended before its closing delimiter. */
export class TruncatedMultipart extends MultipartError {}

/** Returns 244 random bits, which do not occur in the data by chance (DW-13). `randomUUID` has a cache of them. */
export function randomBoundary(): string {
  return `${randomUUID()}${randomUUID()}`.replaceAll('-', '');
}

/** Returns the boundary of a multipart Content-Type (RFC 2046 §5.1.1); undefined for any other type. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  if (!/^\s*multipart\/related\b/i.test(contentType ?? '')) return undefined;
  const match = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType ?? '');
  return match?.[1] ?? match?.[2];
}

/** Returns a multipart body. A part is requested after the one before was read, so that memory does not grow. */
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

/** Returns the text after the boundary of a part: its header fields, and Content-Length if the size is known. */
export function partHead({ headers, size }: Omit<OutgoingPart, 'body'>): string {
  let fields = '';
  for (const name in headers) fields += `${name}: ${headers[name]}\r\n`;
  if (size !== undefined) fields += `Content-Length: ${size}\r\n`;
  return `\r\n${fields}\r\n`;
}

/** Returns the text before and after the bytes of a body of only this part. */
export function aroundOne(
  part: Omit<OutgoingPart, 'body'>,
  boundary: string,
): [before: string, after: string] {
  return [`--${boundary}${partHead(part)}`, `\r\n--${boundary}--\r\n`];
}

/** Returns the bytes of a body of only this part, so that the answer can have a Content-Length. */
export function lengthOfOne(part: Omit<OutgoingPart, 'body'> & { size: number }, boundary: string): number {
  const [before, after] = aroundOne(part, boundary);
  return before.length + part.size + after.length;
}

/** Yields a body. Fails if its size is not as announced, which would make the rest of the answer invalid (DW-13). */
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

/** Most bytes of a part's header. */
export const HEADER_LIMIT = 16 * 1024;
const CRLF_CRLF = Buffer.from('\r\n\r\n');

/**
 * Reads the parts of a multipart body.
 * @throws MultipartError when the body ends before the closing delimiter, within a part or between parts
 */
export async function* readMultipart(
  source: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<IncomingPart, void, void> {
  const input = new Input(source);
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  try {
    // The first delimiter may start the body. A line break before it makes it look like all others.
    input.unread(Buffer.from('\r\n'));
    for await (const preamble of untilDelimiter(input, delimiter)) void preamble;
    while (!(await closes(input))) {
      const head = parsePartHead(await input.take(CRLF_CRLF, HEADER_LIMIT));
      const body =
        head.size === undefined ? untilDelimiter(input, delimiter) : withLength(input, head.size, delimiter);
      yield { ...head, body };
      for await (const rest of body) void rest;
    }
  } finally {
    await input.close();
  }
}

/**
 * Reads the bytes after a delimiter: `--` ends the body, padding and a line break precede the next header
 * (RFC 2046 §5.1.1).
 */
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

/** Parses the text before the blank line of a part. */
export function parsePartHead(block: Buffer): Omit<IncomingPart, 'body'> {
  const headers: Record<string, string> = {};
  for (const field of block.toString('latin1').split('\r\n')) {
    const colon = field.indexOf(':');
    if (colon > 0) headers[field.slice(0, colon).trim().toLowerCase()] = field.slice(colon + 1).trim();
  }
  const length = headers['content-length'];
  return { headers, ...(length !== undefined && /^\d+$/.test(length) && { size: Number(length) }) };
}

/** Yields a body of known Content-Length, and consumes the delimiter. The fast way. */
async function* withLength(
  input: Input,
  size: number,
  delimiter: Buffer,
): AsyncGenerator<Buffer, void, void> {
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

/** Yields all bytes before the next delimiter, and consumes it. The slow way. */
async function* untilDelimiter(input: Input, delimiter: Buffer): AsyncGenerator<Buffer, void, void> {
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
    // The last bytes may be the start of a delimiter.
    const safe = Math.max(0, bytes.length - delimiter.length + 1);
    held = bytes.subarray(safe);
    if (safe > 0) yield bytes.subarray(0, safe);
  }
}

/** Reads chunks of a source, and takes back bytes that were read too far. */
class Input {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #back: Buffer[] = [];

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source instanceof Readable ? chunksOf(source) : source[Symbol.asyncIterator]();
  }

  /** Returns the next bytes, at least one. */
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

  /** Returns the bytes before a mark, and consumes the mark. */
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
