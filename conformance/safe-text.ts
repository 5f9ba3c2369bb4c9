/** Longest text of a server that is printed, in characters. */
const MAX_TEXT = 500;
/** Control characters of terminals, and characters that change the direction of text. */
const UNSAFE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]+|\p{Cs}/gu;
/** A segment of a path that is longer than a UID can be a capability, which is a secret; UIDs in a row are none. */
const LONG_SEGMENT = /(?<=\/)[^/?#\s"]{65,}/g;

/** Makes texts of servers safe to print: without secrets, control characters and undue length. */
export class SafeText {
  readonly #secrets: readonly string[];

  /** @param secrets tokens and values of headers */
  constructor(secrets: readonly (string | undefined)[]) {
    const given = secrets.filter((secret) => secret !== undefined && secret !== '') as string[];
    // The longest first: one secret can be a part of another.
    this.#secrets = [...new Set(given.flatMap((secret) => [secret, encodeURIComponent(secret)]))].sort(
      (a, b) => b.length - a.length,
    );
  }

  /** Returns the text without secrets and control characters, and at most 500 characters of it. */
  clean(text: string): string {
    let clean = text;
    for (const secret of this.#secrets) clean = clean.replaceAll(secret, '[secret]');
    clean = clean.replace(LONG_SEGMENT, (segment) =>
      /^[\d.%f]+$/i.test(segment) ? segment : `${segment.slice(0, 8)}…`,
    );
    if (clean.length > MAX_TEXT) clean = `${clean.slice(0, MAX_TEXT)}…`;
    return clean.replace(UNSAFE, ' ');
  }
}
