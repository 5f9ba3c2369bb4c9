import { Fault } from '../../../schema/fault/fault.ts';
import { logFault, type FaultLog } from '../../../schema/fault/log-fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { FrameBytes } from '../multipart/frame-bytes.ts';
import type { Frames } from '../sources/source.ts';

/** Failover: reads a copy of a study when its source fails before the first byte (DW-27). */

/** Returns whether the source failed, so that another source with the same study may succeed. */
export function isSourceFailure(error: unknown): error is Fault {
  return error instanceof Fault && ['unavailable', 'bad_gateway', 'gateway_timeout'].includes(error.code);
}

export const isNotFound = (error: unknown) => error instanceof Fault && error.code === 'not_found';

interface FailoverOptions {
  tenant: Tenant;
  log: FaultLog;
}

/** Tries the sources of one request that have the same instances. */
export class Failover {
  /** True if a copy has replaced a source that failed. */
  usedCopy = false;
  readonly #options: FailoverOptions;

  constructor(options: FailoverOptions) {
    this.#options = options;
  }

  /**
   * Tries sources in order.
   * @param get reads from a source; it is also given the sources that are left
   * @throws the error of the first if all fail
   */
  async first<S, T>(
    [source, ...others]: readonly S[],
    get: (source: S, others: readonly S[]) => Promise<T>,
  ): Promise<T> {
    try {
      return await get(source!, others);
    } catch (error) {
      if (others.length === 0 || !isSourceFailure(error)) throw error;
      const { tenant, log } = this.#options;
      logFault(log, error, { tenant: tenant.key }, 'an image source failed; another is tried');
      return this.instead(others, get).catch((next: unknown) => {
        // An object that the copy lacks may be in the source that failed.
        throw isSourceFailure(next) || isNotFound(next) ? error : next;
      });
    }
  }

  /** Reads from copies, after the source that they replace has failed. */
  instead<S, T>(copies: readonly S[], get: (source: S, others: readonly S[]) => Promise<T>): Promise<T> {
    this.usedCopy = true;
    return this.first(copies, get);
  }
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
