/**
 * A token bucket: at most `burst` at once and `perSecond` in the long run.
 * @param now milliseconds since the epoch
 */
export function throttle(perSecond: number, burst: number, now: () => number): () => boolean {
  let left = burst;
  let last = now();
  return () => {
    const time = now();
    left = Math.min(burst, left + ((time - last) / 1000) * perSecond);
    last = time;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}
