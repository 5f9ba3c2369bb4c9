/** Values of search parameters: alternatives, escapes, prefixes, tokens (FHIR R4 §3.1.1.4). */

/** Splits at a character that no backslash stands before (R4 §3.1.1.4.3); the parts keep their escapes. */
export function splitEscaped(text: string, separator: string): string[] {
  const parts = [''];
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === '\\' && i + 1 < text.length) parts[parts.length - 1] += char + text[++i]!;
    else if (char === separator) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts;
}

/** The alternatives of a value, which commas separate. Empty ones are left out; the others keep their escapes. */
export function alternatives(text: string): string[] {
  return splitEscaped(text, ',').filter((part) => part !== '');
}

/** Alternatives whose outer spaces mean nothing: names, keys, and what DICOM holds (PS3.5 §6.2). */
export function trimmedAlternatives(text: string): string[] {
  return alternatives(text)
    .map((part) => part.trim())
    .filter(Boolean);
}

/** Removes the escapes of a search value: `\,` `\|` `\$` `\\`. */
export function unescapeValue(text: string): string {
  return text.includes('\\') ? text.replace(/\\([,|$\\])/g, '$1') : text;
}

/** `system|value`, `|value`, `system|` or `value` (R4 §3.1.1.4.10). */
export interface Token {
  /** Undefined where any system matches, empty where there must be none. */
  system?: string;
  /** Undefined where any value of the system matches. */
  value?: string;
}

/** Reads a token; an escaped bar is part of the value. */
export function readToken(text: string): Token {
  const [first = '', ...rest] = splitEscaped(text, '|').map(unescapeValue);
  if (rest.length === 0) return { value: first };
  const value = rest.join('|');
  return { system: first, ...(value && { value }) };
}

const PREFIXES = ['eq', 'ne', 'gt', 'ge', 'lt', 'le', 'sa', 'eb', 'ap'] as const;

/** How an ordered value is compared (R4 §3.1.1.4.5). */
export type Prefix = (typeof PREFIXES)[number];

/** Prefixes as an error message names them. */
export const PREFIX_NAMES = PREFIXES.join(', ');

/** The prefix of a value, `eq` where there is none, and what follows it. */
export function splitPrefix(text: string): { prefix: Prefix; value: string } {
  const prefix = PREFIXES.find((candidate) => text.startsWith(candidate));
  return { prefix: prefix ?? 'eq', value: prefix ? text.slice(prefix.length) : text };
}
