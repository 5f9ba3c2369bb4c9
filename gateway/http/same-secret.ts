import { createHash, timingSafeEqual } from 'node:crypto';

/** Compares secrets in a time that depends neither on the first difference nor on their lengths. */
export const isSameSecret = (given: string, expected: string): boolean => sameAs(expected)(given);

/** Returns a function that compares with one secret, which is then hashed once. */
export function sameAs(expected: string): (given: string) => boolean {
  const hash = sha256(expected);
  return (given) => timingSafeEqual(sha256(given), hash);
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
