import { timingSafeEqual } from 'node:crypto';

/** Compares secrets in a time that depends neither on the first difference nor on their lengths. */
export const isSameSecret = (given: string, expected: string): boolean => sameAs(expected)(given);

/** Returns a function that compares with one secret. */
export function sameAs(expected: string): (given: string) => boolean {
  const wanted = Buffer.from(expected);
  return (given) => {
    // As long as the secret, whatever was given: cut off, or filled with zeros.
    const compared = Buffer.alloc(wanted.length);
    compared.write(given);
    return timingSafeEqual(compared, wanted) && Buffer.byteLength(given) === wanted.length;
  };
}
