import type { Finding } from './finding.ts';

/** Kinds of messages on the pipe to the process of a query, by one letter. */
export const FRAME = { query: 'q', stop: 's', head: 'h', data: 'd', rows: 'r', end: 'e' } as const;
type Kind = (typeof FRAME)[keyof typeof FRAME];

/** The last message about a question. */
export interface EndFrame {
  /** Something is wrong: others are missing. */
  finding?: Finding;
  /** The process ends now. */
  isLast: boolean;
}

/** Bytes of the kind and of the length before each message. */
const HEAD = 5;
/** Bytes of the largest message. Rows are sent in smaller pieces. */
const LARGEST = 2 ** 22;

/** Returns a message: its kind, the length of its content, the content. */
export function frame(kind: Kind, content: string | Uint8Array): Buffer {
  const length = typeof content === 'string' ? Buffer.byteLength(content) : content.length;
  const bytes = Buffer.allocUnsafe(HEAD + length);
  bytes.write(kind, 0, 'latin1');
  bytes.writeUInt32BE(length, 1);
  if (typeof content === 'string') bytes.write(content, HEAD);
  else bytes.set(content, HEAD);
  return bytes;
}

/** Finds the messages in what comes from a pipe. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** @throws RangeError for a message that is too large */
  *read(chunk: Buffer): Generator<{ kind: string; content: Buffer }> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= HEAD) {
      const end = HEAD + this.#rest.readUInt32BE(1);
      if (end > HEAD + LARGEST) throw new RangeError('A message is too large.');
      if (this.#rest.length < end) return;
      const frame = this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(end);
      yield { kind: frame.toString('latin1', 0, 1), content: frame.subarray(HEAD) };
    }
  }
}
