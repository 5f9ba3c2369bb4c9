/** A client that costs as little as `download`, over one connection that is kept open. */
import { connect, type Socket } from 'node:net';

const BUFFER = 256 * 1024;
const NOTHING = Buffer.alloc(0);

export class KeptConnection {
  readonly #host: string;
  readonly #socket: Socket;
  #state: 'header' | 'body' | 'size' | 'chunk' | 'last' = 'header';
  /** Bytes that are still to come of the body, of the chunk or of the end of the chunks. */
  #left = 0;
  #bytes = 0;
  /** The beginning of a header or of the size of a chunk. */
  #pending: Buffer = NOTHING;
  #resolve = (_bytes: number): void => undefined;
  #reject = (_error: Error): void => undefined;

  constructor(origin: string) {
    const { host, hostname, port } = new URL(origin);
    this.#host = host;
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      onread: {
        buffer: Buffer.allocUnsafe(BUFFER),
        callback: (count, { buffer, byteOffset }) => {
          for (let data = Buffer.from(buffer, byteOffset, count); data.length > 0;) data = this.#step(data);
          return true;
        },
      },
    });
    this.#socket.setNoDelay();
    this.#socket.on('error', (error) => this.#reject(error));
    this.#socket.on('close', () => this.#reject(new Error('The connection was closed.')));
  }

  /**
   * Sends one request at a time: a GET, or a POST where there is a body. @returns bytes of the body @throws for any
   * status but 200
   */
  send(path: string, headers: Record<string, string>, body?: string): Promise<number> {
    this.#bytes = 0;
    this.#state = 'header';
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const lines = Object.entries({ host: this.#host, ...headers, ...length }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const method = body === undefined ? 'GET' : 'POST';
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Reads as much as it can and returns the rest. */
  #step(data: Buffer): Buffer<ArrayBuffer> {
    const text = this.#state === 'header' || this.#state === 'size';
    if (text) {
      const end = this.#state === 'header' ? '\r\n\r\n' : '\r\n';
      const all = Buffer.concat([this.#pending, data]);
      const at = all.indexOf(end);
      this.#pending = at < 0 ? all : NOTHING;
      if (at < 0) return Buffer.alloc(0);
      if (this.#state === 'header') this.#begin(all.toString('latin1', 0, at).toLowerCase());
      else {
        const size = parseInt(all.toString('latin1', 0, at), 16);
        this.#left = size + 2;
        this.#state = size === 0 ? 'last' : 'chunk';
      }
      return all.subarray(at + end.length);
    }
    const taken = Math.min(this.#left, data.length);
    this.#left -= taken;
    this.#bytes += taken;
    if (this.#left === 0 && this.#state === 'chunk') this.#state = 'size';
    else if (this.#left === 0) this.#resolve(this.#bytes);
    return Buffer.from(data.buffer as ArrayBuffer, data.byteOffset + taken, data.length - taken);
  }

  #begin(header: string): void {
    if (!header.startsWith('http/1.1 200')) this.#reject(new Error(`answered ${header.slice(9, 12)}`));
    const length = /^content-length: *(\d+)/m.exec(header)?.[1];
    this.#left = Number(length ?? 0);
    this.#state = length === undefined ? 'size' : 'body';
  }
}
