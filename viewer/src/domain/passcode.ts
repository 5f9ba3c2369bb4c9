export const LONGEST_PASSCODE = 64;

/** 32 that are told apart, also when they are said by telephone. */
const CHARACTERS = 'abcdefghijkmnpqrstuvwxyz23456789';

/** Returns a random passcode: five bits in each character. */
export function randomPasscode(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return [...bytes].map((byte) => CHARACTERS[byte % CHARACTERS.length]).join('');
}
