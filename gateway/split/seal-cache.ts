import { boundedCache, type BoundedCache } from '../../schema/cache/bounded-cache.ts';

/** Characters of all texts, and of one. */
const MOST_CHARACTERS = 16_000_000;
const LONGEST_KEPT = 64_000;
/** Milliseconds between two removals of what is over: seals live for a minute, and there are new ones all the time. */
const REMOVAL = 60_000;

/** Values by texts, each kept for some seconds. Those that are over are removed within minutes. */
export class SealCache<Value extends object> {
  readonly #kept: BoundedCache<Value>;
  readonly #now: () => number;
  #removed: number;

  /** @param now milliseconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
    this.#removed = now();
    this.#kept = boundedCache({
      size: MOST_CHARACTERS,
      largest: LONGEST_KEPT,
      now,
      sizeOf: (_, text) => 2 * text.length,
    });
  }

  get size(): number {
    return this.#kept.size;
  }

  get(text: string): Value | undefined {
    return this.#kept.get(text);
  }

  set(text: string, value: Value, seconds: number): void {
    if (this.#now() >= this.#removed + REMOVAL) {
      this.#removed = this.#now();
      this.#kept.purgeStale();
    }
    this.#kept.set(text, value, { ttl: seconds * 1000 });
  }
}
