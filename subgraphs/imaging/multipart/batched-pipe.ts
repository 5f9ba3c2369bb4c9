import type { Readable } from 'node:stream';

/** Bytes handed to the destination and not yet taken by it, beyond which the source pauses. */
const ON_THE_WAY = 512 * 1024;

/** A destination as Node's responses are, which their interface does not say. */
interface Corkable {
  cork?(): void;
  uncork?(): void;
  destroyed?: boolean;
  writableEnded?: boolean;
}

/**
 * Writes a stream into another as `pipe` does. What comes within one turn of the event loop leaves with one call, and the
 * source does not stop at every chunk: between an archive and a client that is most of what a study costs.
 */
export function pipeBatched<To extends NodeJS.WritableStream>(
  from: Readable,
  destination: To,
  end: boolean,
): To {
  const to: NodeJS.WritableStream & Corkable = destination;
  let onTheWay = 0;
  let corked = false;
  const flush = () => {
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
    onTheWay += chunk.length;
    if (onTheWay > ON_THE_WAY) from.pause();
    to.write(chunk, () => {
      onTheWay -= chunk.length;
      if (onTheWay <= ON_THE_WAY / 2 && from.isPaused()) from.resume();
    });
  });
  from.once('end', () => end && to.end());
  return destination;
}
