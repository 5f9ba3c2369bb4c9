import type { Readable } from 'node:stream';

/** Bytes read ahead, so that stream and reader do not wait for each other at every chunk. */
const AHEAD = 512 * 1024;

/**
 * Yields the chunks of a stream as they come. The iterator of Readable copies every byte to join its buffer, and reads
 * the next chunk only on demand, which halves the throughput from an archive to a client.
 * The stream is destroyed when the reader leaves.
 * @throws the error of the stream, or one if it closes before its end
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
