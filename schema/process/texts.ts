/**
 * Returns a text with memory of its own. A part of a text that is kept, by `slice` or a pattern, keeps the whole in memory:
 * V8 does not copy parts of 13 characters and more.
 */
export function ownText(part: string): string {
  return Buffer.from(part).toString();
}

/** Returns the text of bytes in UTF-8. */
export function utf8({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString();
}

/** Compares texts by code unit: the order is the same on every machine and locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
