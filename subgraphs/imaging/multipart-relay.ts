import { Transform, type TransformCallback } from 'node:stream';
import { DICOM } from '../../schema/dicom.ts';
import { pipeBatched } from './batched-pipe.ts';
import { MultipartError, parseHeaders } from './multipart.ts';
import { fileMeta, type FileMeta } from './sources/file-meta.ts';

type State = 'preamble' | 'delimiter' | 'boundary' | 'header' | 'meta' | 'body' | 'end';

const HEADER_LIMIT = 16 * 1024;
const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Passes a multipart body of stored objects on: the archive's part headers and boundary are replaced by ours, the bytes
 * of the objects go through untouched. It does what reading the parts and writing them does, without a promise for
 * every chunk, which is what whole studies through us cost otherwise.
 * Fails with MultipartError when the body ends before its closing delimiter, so that what is cut stays cut (DW-13).
 */
export class MultipartRelay extends Transform {
  private readonly delimiter: Buffer;
  private readonly own: string;
  private state: State = 'preamble';
  /** Bytes that are not enough to go on with. A line break before the first delimiter makes it look like all others. */
  private pending: Buffer = Buffer.from('\r\n');
  /** Bytes left of the part; undefined where its header does not say. */
  private left: number | undefined;
  private size: number | undefined;
  private parts = 0;

  /**
   * @param boundary the archive's
   * @param own ours
   */
  constructor(boundary: string, own: string) {
    super({ writableHighWaterMark: 256 * 1024, readableHighWaterMark: 256 * 1024 });
    this.delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
    this.own = own;
  }

  override pipe<To extends NodeJS.WritableStream>(to: To, { end = true } = {}): To {
    return pipeBatched(this, to, end);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      let data: Buffer | undefined = this.pending.length > 0 ? Buffer.concat([this.pending, chunk]) : chunk;
      this.pending = NOTHING;
      while (data && data.length > 0) data = this.step(data);
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    if (this.state === 'end') done();
    else done(new MultipartError('The body ended before its closing delimiter.'));
  }

  /** Takes what it can; gives what is left, or undefined when more is needed to go on. */
  private step(data: Buffer): Buffer | undefined {
    switch (this.state) {
      case 'preamble':
        return this.untilDelimiter(data, () => undefined);
      case 'delimiter':
        return this.expectDelimiter(data);
      case 'boundary':
        return this.afterDelimiter(data);
      case 'header':
        return this.header(data);
      case 'meta':
        return this.meta(data);
      case 'body':
        return this.body(data);
      case 'end':
        return undefined;
    }
  }

  private need(data: Buffer): undefined {
    if (data.length > HEADER_LIMIT && this.state !== 'meta')
      throw new MultipartError('A part header is too long.');
    this.pending = data;
  }

  private untilDelimiter(data: Buffer, take: (bytes: Buffer) => void): Buffer | undefined {
    const at = data.indexOf(this.delimiter);
    // The last bytes may be the beginning of a delimiter.
    const safe = at >= 0 ? at : Math.max(0, data.length - this.delimiter.length + 1);
    if (safe > 0) take(data.subarray(0, safe));
    if (at >= 0) {
      this.state = 'boundary';
      return data.subarray(at + this.delimiter.length);
    }
    this.pending = data.subarray(safe);
    return undefined;
  }

  private expectDelimiter(data: Buffer): Buffer | undefined {
    const { length } = this.delimiter;
    if (data.length < length) return this.need(data);
    if (!data.subarray(0, length).equals(this.delimiter)) {
      throw new MultipartError('A part is longer than its Content-Length.');
    }
    this.state = 'boundary';
    return data.subarray(length);
  }

  private afterDelimiter(data: Buffer): Buffer | undefined {
    if (data.length < 2) return this.need(data);
    if (data.toString('latin1', 0, 2) === '--') {
      if (this.parts === 0) throw new MultipartError('The body has no parts.');
      this.state = 'end';
      this.push(`\r\n--${this.own}--\r\n`, 'latin1');
      return undefined;
    }
    const end = data.indexOf('\r\n');
    if (end < 0) return this.need(data);
    if (data.toString('latin1', 0, end).trim() !== '') {
      throw new MultipartError('The boundary is followed by other text.');
    }
    this.state = 'header';
    // The line break may be the first half of the blank line of a part without a header.
    return data.subarray(end);
  }

  private header(data: Buffer): Buffer | undefined {
    const end = data.indexOf('\r\n\r\n');
    if (end < 0) return this.need(data);
    const length = parseHeaders(data.subarray(0, end))['content-length'];
    this.size = length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined;
    this.left = this.size;
    this.state = 'meta';
    const rest = data.subarray(end + 4);
    // An empty part has no bytes to wait for.
    return rest.length > 0 || this.left !== 0 ? rest : this.meta(rest);
  }

  /** Our header says the transfer syntax, which stands in the object's first bytes. */
  private meta(data: Buffer): Buffer | undefined {
    const end = this.left ?? data.indexOf(this.delimiter);
    const whole = end >= 0 && data.length >= end;
    const meta = fileMeta(whole ? data.subarray(0, end) : data) ?? (whole ? {} : undefined);
    if (!meta) return this.need(data);
    this.push(this.partHeader(meta), 'latin1');
    this.parts++;
    this.state = this.left === 0 ? 'delimiter' : 'body';
    return data;
  }

  private partHeader({ transferSyntax }: FileMeta): string {
    const parameter = transferSyntax ? `; transfer-syntax=${transferSyntax}` : '';
    const length = this.size === undefined ? '' : `Content-Length: ${this.size}\r\n`;
    const start = this.parts === 0 ? '' : '\r\n';
    return `${start}--${this.own}\r\nContent-Type: ${DICOM}${parameter}\r\n${length}\r\n`;
  }

  private body(data: Buffer): Buffer | undefined {
    if (this.left === undefined) return this.untilDelimiter(data, (bytes) => this.push(bytes));
    const taken = Math.min(this.left, data.length);
    this.push(taken === data.length ? data : data.subarray(0, taken));
    this.left -= taken;
    if (this.left === 0) this.state = 'delimiter';
    return data.subarray(taken);
  }
}
