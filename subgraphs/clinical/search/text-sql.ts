import { Fault } from '../../../schema/fault/fault.ts';
import { unescapeValue } from '../../../schema/fhir/search/search-value.ts';
import { foldString } from './index-rows.ts';
import type { Bind } from './sql-context.ts';
import { push } from './sql-context.ts';

/** Comparisons of texts and URIs. Each takes a value with its escapes, and adds the values of its SQL to `binds`. */

/** A text is found by its begin, without case and accents (R4 §3.1.1.4.8). */
export function stringPrefix(value: string, binds: Bind[]): string {
  const folded = searchText(value);
  return push(binds, 'value >= ? AND value < ?', folded, `${folded}\u{10FFFF}`);
}

/** Compares the whole text, as it is. */
export const stringExact = (value: string, binds: Bind[]): string =>
  push(binds, 'exact = ?', unescapeValue(value));

/** Finds a part of a text, without case and accents. */
export const stringContains = (value: string, binds: Bind[]): string =>
  push(binds, 'instr(value, ?) > 0', searchText(value));

/** @throws Fault `invalid_request` for a text that is nothing when it is folded: everything would begin with it */
function searchText(value: string): string {
  const folded = foldString(unescapeValue(value));
  if (folded === '') throw new Fault('invalid_request', 'A text to search by has at least one character.');
  return folded;
}

/** A URL is below another by whole segments; a URN has none (R4 §3.1.1.4.13). */
export function uriBelow(value: string, binds: Bind[]): string {
  const uri = unescapeValue(value);
  const base = uri.replace(/\/+$/, '');
  if (!isUrl(uri)) return push(binds, 'value = ?', uri);
  return push(binds, '(value IN (?, ?) OR (value >= ? AND value < ?))', uri, base, `${base}/`, `${base}0`);
}

/** Returns a URL and all URLs above it, up to its host. */
export function uriAndAbove(uri: string): string[] {
  if (!isUrl(uri)) return [uri];
  const [scheme, host, ...segments] = uri.replace(/\/+$/, '').split(/\/+/);
  const above = segments.map((_, index) => [`${scheme}/`, host, ...segments.slice(0, index + 1)].join('/'));
  return [`${scheme}//${host}`, ...above].flatMap((url) => [url, `${url}/`]);
}

const isUrl = (uri: string): boolean => /^https?:\/\/[^/]/.test(uri);
