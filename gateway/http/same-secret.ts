import { createHash, timingSafeEqual } from 'node:crypto';

/** Compares secrets in a time that depends neither on the first difference nor on their lengths. */
export function isSameSecret(given: string, expected: string): boolean {
  const [a, b] = [given, expected].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(a!, b!);
}
