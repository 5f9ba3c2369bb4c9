/**
 * A cache that the processes of one installation share. Nothing may depend on it: when it cannot be reached, `get` finds
 * nothing and `set` stores nothing, after a short time.
 */
export interface SharedCache {
  /**
   * @param key leaves the process only as a hash
   * @returns the value, as parsed from JSON, and the seconds for which it is still valid
   */
  get(key: string): Promise<{ value: unknown; seconds: number } | undefined>;
  /** @param value JSON; leaves the process only encrypted */
  set(key: string, value: unknown, seconds: number): Promise<void>;
}
