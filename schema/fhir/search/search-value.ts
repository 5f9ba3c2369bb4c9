import { Fault } from '../../fault/fault.ts';

/** Values of search parameters: alternatives, escapes, prefixes, tokens (FHIR R4 §3.1.1.4). */

/** Splits at a separator that is not escaped by a backslash (R4 §3.1.1.4.3). The parts keep their escapes. */
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

/** Splits a value into its alternatives at commas, without empty ones. They keep their escapes. */
export function alternatives(text: string): string[] {
  return splitEscaped(text, ',').filter((part) => part !== '');
}

/** Splits a value into trimmed alternatives: outer spaces mean nothing in names, keys and DICOM values (PS3.5 §6.2). */
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
  /** Undefined: any system matches. Empty: only a value without a system matches. */
  system?: string;
  /** Undefined: any value of the system matches. */
  value?: string;
}

/**
 * Reads a token; an escaped bar is part of the value.
 * @throws Fault `invalid_request` for a bar alone, which names neither a system nor a value
 */
export function readToken(text: string): Token {
  const [first = '', ...rest] = splitEscaped(text, '|').map(unescapeValue);
  if (rest.length === 0) return { value: first };
  const value = rest.join('|');
  if (first === '' && value === '') {
    throw new Fault('invalid_request', 'A token is a code, a system with a bar, or both.');
  }
  return { system: first, ...(value && { value }) };
}

const PREFIXES = ['eq', 'ne', 'gt', 'ge', 'lt', 'le', 'sa', 'eb', 'ap'] as const;

/** Comparison with an ordered value (R4 §3.1.1.4.5). */
export type Prefix = (typeof PREFIXES)[number];

/** List of the prefixes for error messages. */
export const PREFIX_NAMES = PREFIXES.join(', ');

/** Splits a value into its prefix, `eq` by default, and the rest. */
export function splitPrefix(text: string): { prefix: Prefix; value: string } {
  const prefix = PREFIXES.find((candidate) => text.startsWith(candidate));
  return { prefix: prefix ?? 'eq', value: prefix ? text.slice(prefix.length) : text };
}
