/**
 * What processes of one installation may remember for each other. It is a convenience and never a condition: where it
 * cannot be reached, nothing is found and nothing is kept, and nobody waits long for that.
 */
export interface SharedCache {
  /**
   * @param key leaves the process as a hash only
   * @returns the value, as JSON would give it back, and the seconds for which it may still be used
   */
  get(key: string): Promise<{ value: unknown; seconds: number } | undefined>;
  /** @param value JSON; leaves the process encrypted only */
  set(key: string, value: unknown, seconds: number): Promise<void>;
}
