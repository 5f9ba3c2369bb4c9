import { Transform, type TransformCallback } from 'node:stream';
import { pipeBatched } from './batched-pipe.ts';
import { HEADER_LIMIT, MultipartError, parsePartHead, partHead, TruncatedMultipart } from './multipart.ts';

type State = 'preamble' | 'delimiter' | 'boundary' | 'header' | 'type' | 'body' | 'end';

const NOTHING: Buffer = Buffer.alloc(0);

export interface RelayOptions {
  /** Boundary of the archive's body. */
  boundary: string;
  /** Boundary of the new body. */
  own: string;
  /**
   * Returns the new Content-Type of a part from its first bytes; undefined when more bytes are needed.
   * @param whole true if these are all bytes of the part
   */
  partType(bytes: Buffer, whole: boolean): string | undefined;
  /** Number of parts of a complete body (default: any). */
  parts?: number;
}

/**
 * Passes a multipart body on with a new boundary and new part headers. The bytes of the parts stay the same. It has the
 * effect of reading and writing the parts, but without a promise for every chunk, which is most of their cost.
 * Fails with MultipartError when the body ends before its closing delimiter, so that the client notices (DW-13).
 */
export class MultipartRelay extends Transform {
  readonly #delimiter: Buffer;
  readonly #options: RelayOptions;
  #state: State = 'preamble';
  /** Bytes that wait for more. The initial line break makes the first delimiter look like all others. */
  #pending: Buffer = Buffer.from('\r\n');
  /** Bytes left of the part; undefined without a Content-Length. */
  #left: number | undefined;
  #size: number | undefined;
  #parts = 0;

  constructor(options: RelayOptions) {
    super({ writableHighWaterMark: 256 * 1024, readableHighWaterMark: 256 * 1024 });
    this.#delimiter = Buffer.from(`\r\n--${options.boundary}`, 'latin1');
    this.#options = options;
  }

  override pipe<To extends NodeJS.WritableStream>(to: To, { end = true } = {}): To {
    return pipeBatched(this, to, end);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      let data: Buffer | undefined = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
      this.#pending = NOTHING;
      while (data && data.length > 0) data = this.#step(data);
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    if (this.#state === 'end') done();
    else done(new TruncatedMultipart('The body ended before its closing delimiter.'));
  }

  /** Processes bytes. Returns the rest, or undefined when more are needed. */
  #step(data: Buffer): Buffer | undefined {
    switch (this.#state) {
      case 'preamble':
        return this.#untilDelimiter(data, () => undefined);
      case 'delimiter':
        return this.#expectDelimiter(data);
      case 'boundary':
        return this.#afterDelimiter(data);
      case 'header':
        return this.#header(data);
      case 'type':
        return this.#type(data);
      case 'body':
        return this.#body(data);
      case 'end':
        return undefined;
    }
  }

  #need(data: Buffer): undefined {
    if (data.length > HEADER_LIMIT && this.#state !== 'type')
      throw new MultipartError('A part header is too long.');
    this.#pending = data;
  }

  #untilDelimiter(data: Buffer, take: (bytes: Buffer) => void): Buffer | undefined {
    const at = data.indexOf(this.#delimiter);
    // The last bytes may be the start of a delimiter.
    const safe = at >= 0 ? at : Math.max(0, data.length - this.#delimiter.length + 1);
    if (safe > 0) take(data.subarray(0, safe));
    if (at >= 0) {
      this.#state = 'boundary';
      return data.subarray(at + this.#delimiter.length);
    }
    this.#pending = data.subarray(safe);
    return undefined;
  }

  #expectDelimiter(data: Buffer): Buffer | undefined {
    const { length } = this.#delimiter;
    if (data.length < length) return this.#need(data);
    if (!data.subarray(0, length).equals(this.#delimiter)) {
      throw new MultipartError('A part is longer than its Content-Length.');
    }
    this.#state = 'boundary';
    return data.subarray(length);
  }

  #afterDelimiter(data: Buffer): Buffer | undefined {
    if (data.length < 2) return this.#need(data);
    const { own, parts } = this.#options;
    const closes = data.toString('latin1', 0, 2) === '--';
    // A part too many is not started: the reader may rely on the length of the expected parts.
    if (closes ? this.#parts < (parts ?? 1) : this.#parts === parts)
      throw new MultipartError(`The body has ${this.#parts + (closes ? 0 : 1)} parts.`);
    if (closes) {
      this.#state = 'end';
      this.push(`\r\n--${own}--\r\n`, 'latin1');
      return undefined;
    }
    const end = data.indexOf('\r\n');
    if (end < 0) return this.#need(data);
    if (data.toString('latin1', 0, end).trim() !== '') {
      throw new MultipartError('The boundary is followed by other text.');
    }
    this.#state = 'header';
    // The line break may be the first half of the blank line of a part without a header.
    return data.subarray(end);
  }

  #header(data: Buffer): Buffer | undefined {
    const end = data.indexOf('\r\n\r\n');
    if (end < 0) return this.#need(data);
    this.#size = parsePartHead(data.subarray(0, end)).size;
    this.#left = this.#size;
    this.#state = 'type';
    const rest = data.subarray(end + 4);
    // An empty part has no bytes to wait for.
    return rest.length > 0 || this.#left !== 0 ? rest : this.#type(rest);
  }

  /** Writes the header of a part, whose type may depend on its first bytes. */
  #type(data: Buffer): Buffer | undefined {
    const end = this.#left ?? data.indexOf(this.#delimiter);
    const whole = end >= 0 && data.length >= end;
    const { own, partType } = this.#options;
    const type = partType(whole ? data.subarray(0, end) : data, whole);
    if (type === undefined) return this.#need(data);
    const size = this.#size === undefined ? {} : { size: this.#size };
    const head = partHead({ headers: { 'Content-Type': type }, ...size });
    this.push(`${this.#parts === 0 ? '' : '\r\n'}--${own}${head}`, 'latin1');
    this.#parts++;
    this.#state = this.#left === 0 ? 'delimiter' : 'body';
    return data;
  }

  #body(data: Buffer): Buffer | undefined {
    if (this.#left === undefined) return this.#untilDelimiter(data, (bytes) => this.push(bytes));
    const taken = Math.min(this.#left, data.length);
    this.push(taken === data.length ? data : data.subarray(0, taken));
    this.#left -= taken;
    if (this.#left === 0) this.#state = 'delimiter';
    return data.subarray(taken);
  }
}
