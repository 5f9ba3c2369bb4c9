import type { Readable } from 'node:stream';
import type { StoredInstance } from '../sources/source.ts';
import { firstBytes } from '../sources/timeout.ts';

/** Instances whose reading has begun; they are closed however the answer ends. */

/** Waits for the first bytes of the first instance: an error before them still gets its own status. */
export async function opened(instances: AsyncIterable<StoredInstance>) {
  const iterator = instances[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (!first.done) await firstBytes(first.value.stream);
  return { first, iterator };
}

/** Yields all instances, of which the first is already read. Closes what is open when the reader leaves. */
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
 * Closes what is open for a body when the body closes, even if it was never read (HEAD, a client that has left):
 * generators that have not begun run no `finally`.
 */
export function closing(body: Readable, iterator: AsyncIterator<unknown>, opened?: Readable): Readable {
  return body.once('close', () => {
    opened?.destroy();
    void iterator.return?.().catch(() => undefined);
  });
}
