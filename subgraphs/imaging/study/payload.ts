import type { Readable } from 'node:stream';

/** An answer whose first bytes are known to be good, so that its status stands. */
export interface Payload {
  status?: number;
  headers: Record<string, string>;
  body: Readable | Uint8Array;
}
