import type { Readable } from 'node:stream';

/** Bytes that the destination has not taken yet, above which the source pauses. */
const MAX_PENDING = 512 * 1024;

/** Members of Node's responses that `WritableStream` does not declare. */
interface Corkable {
  cork?(): void;
  uncork?(): void;
  destroyed?: boolean;
  writableEnded?: boolean;
}

/**
 * Writes a stream into another as `pipe` does, but faster: chunks of one turn of the event loop leave with one call,
 * and the source does not pause at every chunk. These are most of the cost of a study from an archive to a client.
 */
export function pipeBatched<To extends NodeJS.WritableStream>(
  from: Readable,
  destination: To,
  end: boolean,
): To {
  const to: NodeJS.WritableStream & Corkable = destination;
  let pending = 0;
  let corked = false;
  const flush = () => {
    if (!corked) return;
    corked = false;
    if (!to.writableEnded) to.uncork?.();
  };
  from.on('data', (chunk: Buffer) => {
    if (to.destroyed) return;
    if (!corked) {
      corked = true;
      to.cork?.();
      setImmediate(flush);
    }
    pending += chunk.length;
    if (pending > MAX_PENDING) from.pause();
    to.write(chunk, () => {
      pending -= chunk.length;
      if (pending <= MAX_PENDING / 2 && from.isPaused()) from.resume();
    });
  });
  from.once('end', () => {
    // In Node 24 a response that is corked when it ends loses what was written since.
    flush();
    if (end) to.end();
  });
  return destination;
}
