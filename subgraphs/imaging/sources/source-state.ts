import { Fault } from '../../../schema/fault/fault.ts';

/** Seconds after which a source that is away is worth asking again. */
const RETRY_AFTER = 5;

/**
 * The answer to every request while a source is away: the same words whatever was asked for, as others would tell what
 * exists (DW-23, IA-7).
 */
export function awayFault(cause?: unknown): Fault {
  return new Fault('unavailable', 'The images are away for now; ask again later.', {
    ...{ service: 'imaging', retryAfter: RETRY_AFTER },
    ...(cause !== undefined && { cause }),
  });
}

/**
 * Decides whether a source that has nothing at all is believed (DW-23). One that never had anything is believed at once;
 * one that had something counts as away until it has nothing for `emptyIsAway` seconds.
 */
export class SourceState {
  readonly #milliseconds: number;
  readonly #now: () => number;
  #hadSomething = false;
  #emptySince: number | undefined;

  /**
   * @param emptyIsAway seconds
   * @param now milliseconds of a clock that never goes back
   */
  constructor(emptyIsAway: number, now: () => number = () => performance.now()) {
    this.#milliseconds = emptyIsAway * 1000;
    this.#now = now;
  }

  /** Whether the source has been seen with something, and its being empty is not believed yet. */
  get hadSomething(): boolean {
    return this.#hadSomething;
  }

  /** Whether the source was empty when it was last seen, and that is not believed yet. */
  get isAway(): boolean {
    return this.#emptySince !== undefined;
  }

  /** Notes that the source has something. */
  seen(): void {
    this.#hadSomething = true;
    this.#emptySince = undefined;
  }

  /**
   * Notes that the source has nothing at all.
   * @returns whether that is believed; otherwise the source is away
   */
  seenEmpty(): boolean {
    if (!this.#hadSomething) return true;
    this.#emptySince ??= this.#now();
    if (this.#now() - this.#emptySince < this.#milliseconds) return false;
    this.#hadSomething = false;
    this.#emptySince = undefined;
    return true;
  }

  /** @throws Fault `unavailable` with `retryAfter` while the source is away */
  throwIfAway(): void {
    if (this.isAway) throw awayFault();
  }
}
