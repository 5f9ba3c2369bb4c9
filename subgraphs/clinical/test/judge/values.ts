/** Comparison of one value of a search with one value of a resource, read from R4 §3.1.1.4. */
import type { Reference } from 'fhir/r4.js';
import type { Element } from './elements.ts';

/* The judge reads JSON of any type. */
/* eslint-disable @typescript-eslint/no-explicit-any */

type Compare = (element: Element, text: string) => boolean;

const plain = (text: string): string => text.replace(/\\([\\,|$])/g, '$1');

/** Splits at a character that has no backslash before it. */
export function split(text: string, at: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '\\') part += text[index]! + (text[++index] ?? '');
    else if (text[index] === at) {
      parts.push(part);
      part = '';
    } else part += text[index];
  }
  return [...parts, part];
}

interface Code {
  system?: string;
  code: string;
  /** An identifier: two of them may differ only in case. */
  exact?: boolean;
  /** Its system is in the definitions: a search may give it or not. */
  implied?: boolean;
}

function codesIn({ type, value }: Element): Code[] {
  const item = value as any;
  if (type === 'CodeableConcept') {
    return (item.coding ?? []).flatMap((coding: unknown) => codesIn({ type: 'Coding', value: coding }));
  }
  if (type === 'Coding') return item.code === undefined ? [] : [{ system: item.system, code: item.code }];
  if (type === 'Identifier') {
    return item.value === undefined ? [] : [{ system: item.system, code: item.value, exact: true }];
  }
  if (type === 'ContactPoint') return item.value === undefined ? [] : [{ code: item.value }];
  if (typeof item === 'object') return [];
  return [{ code: String(item), implied: type === 'code' || typeof item === 'boolean' }];
}

export const token: Compare = (element, text) => {
  const [first = '', ...rest] = split(text, '|').map(plain);
  return codesIn(element).some(({ system, code, exact, implied }) => {
    const wanted = rest.length === 0 ? first : rest.join('|');
    const isCode = wanted === '' || (exact ? code === wanted : code.toLowerCase() === wanted.toLowerCase());
    if (rest.length === 0 || (implied && wanted !== '')) return isCode;
    return isCode && !implied && (system ?? '') === first;
  });
};

/** Ids differ by case. */
export const id: Compare = ({ value }, text) => value === plain(text);

export const ofType: Compare = ({ type, value }, text) => {
  const [system, code, ...rest] = split(text, '|').map(plain);
  const item = value as any;
  if (type !== 'Identifier' || item.value !== rest.join('|')) return false;
  return (item.type?.coding ?? []).some(
    (coding: any) => coding.system === system && coding.code?.toLowerCase() === code?.toLowerCase(),
  );
};

/** Without case, accents and repeated spaces. */
export const folded = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .join(' ');

const NAME_PARTS = ['text', 'family', 'given', 'prefix', 'suffix'];
const ADDRESS_PARTS = ['text', 'line', 'city', 'district', 'state', 'postalCode', 'country'];

export function textsIn({ type, value }: Element): string[] {
  const item = value as any;
  if (typeof item === 'string') return [item];
  const names = type === 'HumanName' ? NAME_PARTS : type === 'Address' ? ADDRESS_PARTS : [];
  return names.flatMap((name) => item[name] ?? []);
}

export function labelsIn({ type, value }: Element): string[] {
  const item = value as any;
  if (type === 'CodeableConcept') {
    return [item.text, ...(item.coding ?? []).map((coding: any) => coding.display)].filter(Boolean);
  }
  return [type === 'Coding' ? item.display : type === 'Identifier' ? item.type?.text : undefined].filter(
    Boolean,
  );
}

const startsWith = (text: string, wanted: string): boolean => folded(text).startsWith(folded(plain(wanted)));
export const label: Compare = (element, wanted) => labelsIn(element).some((text) => startsWith(text, wanted));
export const string: Compare = (element, wanted) => textsIn(element).some((text) => startsWith(text, wanted));
export const exact: Compare = (element, wanted) => textsIn(element).includes(plain(wanted));
export const contains: Compare = (element, wanted) =>
  textsIn(element).some((text) => folded(text).includes(folded(plain(wanted))));

/** Without the version, unless the search has one. */
function sameCanonical(value: string, wanted: string): boolean {
  return wanted.includes('|') ? value === wanted : value.replace(/\|[^|]*$/, '') === wanted;
}

export const uri: Compare = ({ type, value }, text) =>
  typeof value === 'string' &&
  (type === 'canonical' ? sameCanonical(value, plain(text)) : value === plain(text));

/** @returns true when the first URL is the second, or below it */
function isBelow(url: string, base: string): boolean {
  if (url === base) return true;
  const segments = (of: string): string[] => of.replace(/\/+$/, '').split('/');
  const [lower, upper] = [segments(url), segments(base)];
  return /^https?:\/\/[^/]/.test(base) && upper.every((segment, index) => lower[index] === segment);
}
const unversioned = ({ type, value }: Element): string[] =>
  type === 'canonical' ? [String(value), String(value).replace(/\|[^|]*$/, '')] : [String(value)];
export const below: Compare = (element, text) =>
  unversioned(element).some((url) => isBelow(url, plain(text)));
export const above: Compare = (element, text) =>
  unversioned(element).some((url) => isBelow(plain(text), url));

/** @param types which a bare id may be of */
export const reference =
  (types: readonly string[]): Compare =>
  ({ value }, text) => {
    const wanted = plain(text);
    if (typeof value === 'string') return sameCanonical(value, wanted);
    const literal = (value as Reference).reference;
    if (!literal) return false;
    const possible = /[/:]/.test(wanted) ? [wanted] : types.map((type) => `${type}/${wanted}`);
    const given = wanted.includes('/_history/') ? literal : literal.replace(/\/_history\/.*$/, '');
    return possible.some((one) => one === given);
  };

export const identifier: Compare = ({ value }, text) => {
  const item = (value as Reference).identifier;
  return item !== undefined && token({ type: 'Identifier', value: item }, text);
};
