/** Binary values that metadata carry themselves, as base64 (PS3.18 §F.2.7). */

/** @returns undefined for a text that is no base64 */
export function inlineBytes(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
