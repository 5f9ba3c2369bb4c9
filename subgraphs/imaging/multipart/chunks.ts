import type { Readable } from 'node:stream';

/** Bytes taken from a stream ahead of its reader: enough that neither waits for the other at every chunk. */
const AHEAD = 512 * 1024;

/**
 * The chunks of a stream as they come. A Readable's own iterator joins what it has buffered, which copies every byte,
 * and takes the next only when it is asked: on the way from an archive to a client that halves the throughput.
 * The stream is destroyed when the reader leaves.
 * @throws what the stream fails with, also when it closes before its end
 */
export async function* chunksOf(stream: Readable): AsyncGenerator<Buffer, void, void> {
  const queue: Buffer[] = [];
  let bytes = 0;
  let over = false;
  let failure: Error | undefined;
  let wake = () => {};
  const finish = (error?: Error) => {
    failure ??= error;
    over = true;
    wake();
  };
  stream.on('data', (chunk: Buffer) => {
    queue.push(chunk);
    bytes += chunk.length;
    if (bytes > AHEAD) stream.pause();
    wake();
  });
  stream.once('end', () => finish());
  stream.on('error', finish);
  const closed = () => {
    if (!over) finish(stream.errored ?? new Error('The stream closed before its end.'));
  };
  stream.once('close', closed);
  if (stream.destroyed) closed();
  try {
    for (;;) {
      for (let chunk = queue.shift(); chunk; chunk = queue.shift()) {
        bytes -= chunk.length;
        if (bytes <= AHEAD / 2 && stream.isPaused()) stream.resume();
        yield chunk;
      }
      if (failure) throw failure;
      if (over) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    stream.destroy();
  }
}
