/** Answers of media type multipart/related (RFC 2046 §5.1, PS3.18 §8.6.1.2). */

export interface Part {
  /** In lower case, without parameters. */
  mediaType: string;
  /** Parameter of the media type of the part; undefined if the server does not say it. */
  transferSyntax: string | undefined;
  bytes: Uint8Array<ArrayBuffer>;
}

const ascii = new TextEncoder();

/**
 * Returns the only part of a multipart answer.
 * @param contentType of the answer
 * @returns undefined if the answer is cut, has several parts, or cannot be read
 */
export function onlyPart(contentType: string, body: Uint8Array<ArrayBuffer>): Part | undefined {
  const boundary = parameter(contentType, 'boundary');
  if (boundary === undefined) return undefined;
  const first = indexOf(body, ascii.encode(`--${boundary}\r\n`), 0);
  const headersAt = first + boundary.length + 4;
  const headersEnd = indexOf(body, ascii.encode('\r\n\r\n'), Math.max(headersAt - 2, 0));
  if (first < 0 || headersEnd < 0) return undefined;
  const start = headersEnd + 4;
  const end = indexOf(body, ascii.encode(`\r\n--${boundary}`), start);
  // The last boundary has two hyphens at its end: without them there is another part, or the answer was cut.
  const last = indexOf(body, ascii.encode(`\r\n--${boundary}--`), start);
  if (end < 0 || end !== last) return undefined;
  const headers = readHeaders(new TextDecoder().decode(body.subarray(headersAt, headersEnd)));
  const bytes = body.subarray(start, end);
  const length = headers.get('content-length');
  if (length !== undefined && Number(length) !== bytes.length) return undefined;
  const type = headers.get('content-type') ?? '';
  return { mediaType: mediaTypeOf(type), transferSyntax: parameter(type, 'transfer-syntax'), bytes };
}

/**
 * Yields the bytes of each part of a multipart answer, as soon as it is there whole.
 * @param contentType of the answer
 * @returns false if the answer ends before its last boundary, or is no multipart answer
 */
export async function* partsOf(
  contentType: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array<ArrayBuffer>, boolean> {
  const boundary = parameter(contentType, 'boundary');
  if (boundary === undefined) return false;
  const parts = new PartReader(boundary);
  for await (const chunk of chunks) {
    yield* parts.add(chunk);
  }
  return parts.isWhole;
}

/** Cuts an answer at its boundaries while it comes. It keeps the part that is not whole yet, and nothing else. */
class PartReader {
  isWhole = false;
  readonly #delimiter: Uint8Array;
  #kept = new Uint8Array(0);
  #length = 0;
  /** From here on the delimiter is looked for. */
  #seen = 0;
  #isInPart = false;

  constructor(boundary: string) {
    this.#delimiter = ascii.encode(`\r\n--${boundary}`);
    // The first boundary may stand at the very beginning.
    this.#append(ascii.encode('\r\n'));
  }

  *add(chunk: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
    this.#append(chunk);
    while (!this.isWhole) {
      const body = this.#kept.subarray(0, this.#length);
      const end = indexOf(body, this.#delimiter, this.#seen);
      const after = end + this.#delimiter.length;
      if (end < 0) {
        this.#seen = Math.max(this.#length - this.#delimiter.length, 0);
        return;
      }
      // What follows the boundary says whether it is the last one.
      if (after + 2 > this.#length) return;
      if (this.#isInPart) yield contentOf(body.subarray(0, end));
      this.isWhole = body[after] === HYPHEN && body[after + 1] === HYPHEN;
      this.#isInPart = true;
      this.#drop(after);
    }
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#kept.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#kept.length));
      grown.set(this.#kept.subarray(0, this.#length));
      this.#kept = grown;
    }
    this.#kept.set(chunk, this.#length);
    this.#length = length;
  }

  #drop(count: number): void {
    this.#kept.copyWithin(0, count, this.#length);
    this.#length -= count;
    this.#seen = 0;
  }
}

const HYPHEN = 0x2d;

/** Returns a copy of the content of a part, without its headers. */
function contentOf(part: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const headersEnd = indexOf(part, ascii.encode('\r\n\r\n'), 0);
  return part.slice(headersEnd < 0 ? part.length : headersEnd + 4);
}

/** Returns a media type in lower case, without its parameters. */
export function mediaTypeOf(contentType: string): string {
  return contentType.split(';')[0]!.trim().toLowerCase();
}

/** Returns a parameter of a media type, quoted or not. */
function parameter(contentType: string, name: string): string | undefined {
  for (const [, key, quoted, plain] of contentType.matchAll(/;\s*([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s;]+))/g)) {
    if (key!.toLowerCase() === name) return quoted ?? plain;
  }
  return undefined;
}

function readHeaders(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

/** Returns where bytes begin within others; -1 if they are not there. */
function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(wanted[0]!, from); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    let same = 1;
    while (same < wanted.length && bytes[at + same] === wanted[same]) same++;
    if (same === wanted.length) return at;
  }
  return -1;
}
