import type { Readable } from 'node:stream';
import type { StoredInstance } from '../sources/source.ts';
import { firstBytes } from '../sources/timeout.ts';

/** Instances that were begun to be read, and are closed whatever becomes of the answer. */

/** The first instance, once its first bytes are there: an error before them still gets its own status. */
export async function opened(instances: AsyncIterable<StoredInstance>) {
  const iterator = instances[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (!first.done) await firstBytes(first.value.stream);
  return { first, iterator };
}

/** All instances, the first of which was taken already; what is open when the reader leaves is closed. */
export async function* instancesFrom(
  first: IteratorResult<StoredInstance>,
  iterator: AsyncIterator<StoredInstance>,
): AsyncGenerator<StoredInstance> {
  let current = first;
  try {
    for (; !current.done; current = await iterator.next()) {
      yield current.value;
    }
  } finally {
    if (!current.done) current.value.stream.destroy();
    await iterator.return?.();
  }
}

/**
 * What is open for a body is closed with it, also when nobody has begun to read it (HEAD, a client that has left): the
 * generators that it is made of have then not begun, and one that has not runs no `finally`.
 */
export function closing(body: Readable, iterator: AsyncIterator<unknown>, opened?: Readable): Readable {
  return body.once('close', () => {
    opened?.destroy();
    void iterator.return?.().catch(() => undefined);
  });
}
