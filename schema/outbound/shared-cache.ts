/** A value, as parsed from JSON, and the seconds for which it is valid. */
export interface SharedValue {
  value: unknown;
  seconds: number;
}

/**
 * A cache that the processes of one installation share. Nothing may depend on it: when it cannot be reached, `get` finds
 * nothing, `set` stores nothing and `once` computes, after a short time.
 */
export interface SharedCache {
  /** @param key leaves the process only as a hash */
  get(key: string): Promise<SharedValue | undefined>;
  /** @param value JSON; leaves the process only encrypted. One above `LARGEST_SHARED_CHARACTERS` is not kept. */
  set(key: string, value: unknown, seconds: number): Promise<void>;
  /**
   * Returns the value of a key, or computes and keeps it. Of the processes that ask at the same time one computes; the
   * others wait for its value, and compute it themselves when it fails, dies, or takes too long.
   * @param compute gives a value with 0 seconds if it may only be given to those who already wait for it
   * @param patience seconds to wait for another process
   * @throws the error of `compute`, which no other process gets
   */
  once(key: string, compute: () => Promise<SharedValue>, patience: number): Promise<SharedValue>;
}

/** Characters of a value as JSON. A larger one is not shared: moving it costs more than asking for it again. */
export const LARGEST_SHARED_CHARACTERS = 512 * 1024;
