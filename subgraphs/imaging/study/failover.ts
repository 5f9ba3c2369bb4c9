import { Fault } from '../../../schema/fault/fault.ts';
import type { FrameBytes } from '../multipart/frame-bytes.ts';
import { firstBytes } from '../sources/timeout.ts';
import type { Frames, StoredInstance } from '../sources/source.ts';

/** Failover: reads a copy of a study when its source fails before the first byte (DW-27). */

/** Returns whether the source failed, so that another source with the same study may succeed. */
export function isSourceFailure(error: unknown): error is Fault {
  return error instanceof Fault && ['unavailable', 'bad_gateway', 'gateway_timeout'].includes(error.code);
}

/**
 * Waits for the first bytes of the first instance, then returns the same instances.
 * @throws the error that comes before these bytes; an error of the connection as Fault `bad_gateway`
 */
export async function awaitFirstBytes(
  instances: AsyncIterable<StoredInstance>,
): Promise<AsyncIterable<StoredInstance>> {
  const iterator = instances[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (!first.done) {
    try {
      await firstBytes(first.value.stream);
    } catch (cause) {
      await iterator.return?.().catch(() => undefined);
      if (cause instanceof Fault) throw cause;
      throw new Fault('bad_gateway', 'The image archive broke off.', { service: 'imaging', cause });
    }
  }
  return (async function* () {
    try {
      for (let item = first; !item.done; item = await iterator.next()) yield item.value;
    } finally {
      await iterator.return?.();
    }
  })();
}

/**
 * Yields the frames of a source; if it fails before the first, those of another source that has them in the same form.
 */
export async function* framesWithFailover(
  { frames, mediaType, transferSyntax }: Frames,
  other: () => Promise<Frames>,
): AsyncGenerator<FrameBytes> {
  let isBegun = false;
  try {
    for await (const frame of frames) {
      isBegun = true;
      yield frame;
    }
  } catch (error) {
    if (isBegun || !isSourceFailure(error)) throw error;
    const instead = await other().catch(() => undefined);
    const isSame = instead?.mediaType === mediaType && instead.transferSyntax === transferSyntax;
    if (!instead || !isSame) throw error;
    yield* instead.frames;
  }
}
