import { Fault } from '../../../schema/fault/fault.ts';

/** Seconds until a client may ask a source that is away again. */
const RETRY_AFTER = 5;

/**
 * Returns the fault for every request while a source is away. It is always the same, because a different one would show
 * what exists (DW-23, IA-7).
 */
export function awayFault(cause?: unknown): Fault {
  return new Fault('unavailable', 'The images are not available at the moment; ask again later.', {
    service: 'imaging',
    retryAfter: RETRY_AFTER,
    cause,
  });
}

/**
 * Decides whether an empty source is away (DW-23). A source that was never seen with content is not away. One that had
 * content counts as away until it was empty for `emptyIsAway` seconds.
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

  /** True if the source had content, and does not count as empty since. */
  get hadSomething(): boolean {
    return this.#hadSomething;
  }

  /** True if the source was empty at the last check, but does not count as empty yet. */
  get isAway(): boolean {
    return this.#emptySince !== undefined;
  }

  /** Notes that the source has content. */
  seen(): void {
    this.#hadSomething = true;
    this.#emptySince = undefined;
  }

  /**
   * Notes that the source is empty.
   * @returns true if it counts as empty; otherwise it is away
   */
  seenEmpty(): boolean {
    if (!this.#hadSomething) return true;
    this.#emptySince ??= this.#now();
    if (this.#now() - this.#emptySince < this.#milliseconds) return false;
    this.#hadSomething = false;
    this.#emptySince = undefined;
    return true;
  }

  /** Refuses with Fault `unavailable` and `retryAfter` while the source is away. */
  throwIfAway(): void {
    if (this.isAway) throw awayFault();
  }
}
