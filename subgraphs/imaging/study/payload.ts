import type { Readable } from 'node:stream';

/** An answer. Its first bytes arrived without error, so its status is final. */
export interface Payload {
  status?: number;
  headers: Record<string, string>;
  body: Readable | Uint8Array;
}
