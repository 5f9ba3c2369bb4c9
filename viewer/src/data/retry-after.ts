/** No server makes the page wait longer than this at once: the caller then asks again. Milliseconds. */
const LONGEST_WAIT = 5 * 60_000;

/**
 * Reads Retry-After: seconds or a date (RFC 9110 §10.2.3).
 * @returns milliseconds, at most five minutes; undefined without a value that can be read
 */
export function retryAfter(value: string | null, now = Date.now()): number | undefined {
  if (value === null) return undefined;
  const text = value.trim();
  const milliseconds = /^\d+(\.\d+)?$/.test(text)
    ? Number(text) * 1000
    : (/[a-z]/i.test(text) ? Date.parse(text) : NaN) - now;
  return Number.isNaN(milliseconds) ? undefined : Math.min(Math.max(milliseconds, 0), LONGEST_WAIT);
}
