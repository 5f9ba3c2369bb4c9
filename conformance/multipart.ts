/** Longest header of a part, in bytes. */
const MAX_HEADER = 16_384;
/** Bytes of each part that are kept. A DICOM object names its UID and transfer syntax in the first few hundred. */
const KEPT = 2_048;

/** A part of a multipart body. */
export interface Part {
  /** Names in lower case. */
  headers: ReadonlyMap<string, string>;
  /** The first 2,048 bytes. */
  head: Buffer;
  /** Length of the content in bytes. */
  size: number;
}

/** Reads a multipart body (RFC 2046 §5.1.1) as it arrives; of each part only the first bytes are kept. */
export class MultipartReader {
  readonly #delimiter: Buffer;
  #rest = Buffer.from('\r\n');
  #state: 'preamble' | 'delimiter' | 'header' | 'content' | 'closed' = 'preamble';
  #headers: ReadonlyMap<string, string> = new Map();
  #head: Buffer[] = [];
  #size = 0;

  /** @param boundary the parameter of the Content-Type */
  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`);
  }

  /** True after the closing delimiter. Without it the body is incomplete. */
  get closed(): boolean {
    return this.#state === 'closed';
  }

  /**
   * Returns the parts that end in these bytes.
   * @throws Error if a part has no valid header
   */
  push(bytes: Uint8Array): Part[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const parts: Part[] = [];
    for (;;) {
      if (!this.#step(parts)) return parts;
    }
  }

  /** @returns false if it needs more bytes, or none any more */
  #step(parts: Part[]): boolean {
    if (this.#state === 'delimiter') return this.#readDelimiter();
    if (this.#state === 'header') return this.#readHeader();
    if (this.#state !== 'closed') return this.#readContent(parts);
    this.#rest = Buffer.alloc(0);
    return false;
  }

  #readContent(parts: Part[]): boolean {
    const end = this.#rest.indexOf(this.#delimiter);
    const inPart = this.#state === 'content';
    const taken = end >= 0 ? end : Math.max(0, this.#rest.length - this.#delimiter.length);
    if (inPart) this.#keep(this.#rest.subarray(0, taken));
    this.#rest = this.#rest.subarray(end >= 0 ? end + this.#delimiter.length : taken);
    if (end < 0) return false;
    if (inPart) parts.push({ headers: this.#headers, head: Buffer.concat(this.#head), size: this.#size });
    this.#head = [];
    this.#size = 0;
    this.#state = 'delimiter';
    return true;
  }

  #keep(bytes: Buffer): void {
    const missing = KEPT - Math.min(this.#size, KEPT);
    if (missing > 0) this.#head.push(Buffer.from(bytes.subarray(0, missing)));
    this.#size += bytes.length;
  }

  #readDelimiter(): boolean {
    if (this.#rest.length < 2) return false;
    this.#state = this.#rest.toString('latin1', 0, 2) === '--' ? 'closed' : 'header';
    return true;
  }

  /** The line end after the delimiter is kept: a part without header fields has two line ends there. */
  #readHeader(): boolean {
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end > MAX_HEADER || (end < 0 && this.#rest.length > MAX_HEADER))
      throw new Error('A part of the multipart body has no header that ends.');
    if (end < 0) return false;
    const lines = this.#rest.toString('latin1', 0, end).split('\r\n').slice(1);
    this.#headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    this.#rest = this.#rest.subarray(end + 4);
    this.#state = 'content';
    return true;
  }
}
