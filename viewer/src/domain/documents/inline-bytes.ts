/** Reads base64, also in the form for URLs (RFC 4648 §5). @throws for any other text */
export function base64Bytes(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = new Uint8Array(binary.length);
  // A file may have millions: a call for each of them would take seconds.
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

/**
 * Reads a binary value that metadata carry themselves, as base64 (PS3.18 §F.2.7).
 * @returns undefined for a text that is no base64
 */
export function inlineBytes(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return base64Bytes(base64);
  } catch {
    return undefined;
  }
}

/** Bytes that become characters at once: more would be too many arguments. */
const AT_ONCE = 0x8000;

/** Writes bytes as base64. */
export function base64(bytes: Uint8Array): string {
  let characters = '';
  for (let at = 0; at < bytes.length; at += AT_ONCE)
    characters += String.fromCharCode(...bytes.subarray(at, at + AT_ONCE));
  return btoa(characters);
}
