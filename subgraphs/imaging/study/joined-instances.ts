import { Fault } from '../../../schema/fault/fault.ts';
import { firstBytes } from '../sources/timeout.ts';
import type { StoredInstance } from '../sources/source.ts';

/** Instances that several archives have of one target, as one list. */

type Instances = AsyncIterable<StoredInstance>;

/**
 * Opens every part before it resolves, so that an archive that does not answer leaves no part of a study (IA-24), and gives
 * part after part.
 * @throws the error of the first part that fails; the others are then closed
 */
export async function joinedInstances(opening: readonly Promise<Instances>[]): Promise<Instances> {
  const settled = await Promise.allSettled(opening.map(async (part) => opened(await part)));
  const parts = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const close = () => Promise.allSettled(parts.map((part) => part.close()));
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed) {
    await close();
    throw failed.reason;
  }
  return (async function* () {
    try {
      for (const { first, iterator } of parts)
        for (let item = first; !item.done; item = await iterator.next()) yield item.value;
    } finally {
      await close();
    }
  })();
}

/** Opens one part, with the first bytes of its first instance. */
async function opened(instances: Instances) {
  const iterator = instances[Symbol.asyncIterator]();
  const first = await iterator.next();
  const close = async () => {
    if (!first.done) first.value.stream.destroy();
    await iterator.return?.();
  };
  try {
    if (!first.done) await firstBytes(first.value.stream);
  } catch (cause) {
    await close().catch(() => undefined);
    if (cause instanceof Fault) throw cause;
    throw new Fault('bad_gateway', 'The image archive broke off.', { service: 'imaging', cause });
  }
  return { first, iterator, close };
}

/**
 * Keeps the wanted instances of an archive that has others, too.
 * @param onMissing called before it fails because one is missing
 * @throws Fault `bad_gateway` at the end if one is missing
 */
export async function* onlyOf(
  instances: Instances,
  wanted: ReadonlySet<string>,
  onMissing: () => void,
): AsyncGenerator<StoredInstance> {
  const missing = new Set(wanted);
  for await (const instance of instances) {
    if (missing.delete(instance.sopInstanceUid ?? '')) yield instance;
    else instance.stream.destroy();
  }
  if (missing.size === 0) return;
  onMissing();
  throw notAll(missing.size);
}

/** The cause of a failure: objects that an archive lists and does not give. */
class MissingObjects extends Error {}

/** Returns the fault for an archive that gave less of a study than it has by its own search. */
export function notAll(missing: number): Fault {
  return new Fault('bad_gateway', 'An image archive did not give all objects that it lists.', {
    service: 'imaging',
    cause: new MissingObjects(`${missing} objects are missing`),
  });
}

/** Tells whether an archive gave less than it has by its own search. */
export function isNotAll(error: unknown): boolean {
  return error instanceof Fault && error.cause instanceof MissingObjects;
}
