/** The data dictionary of PS3.6: keyword ↔ tag ↔ value representation, from the tables of dcmjs. */
import { dictionary } from 'dcmjs/dictionary';

/** VR of attributes whose VR depends on other attributes: that of the standard's default encoding (PS3.5 §A.1). */
const AMBIGUOUS: Record<string, string> = { ox: 'OW', xs: 'US', lt: 'OW', up: 'UL', na: 'UN' };

const keywords = new Map<string, string>();
const vrs = new Map<string, string>();
const tags = new Map<string, string>();
const usOrSs = new Set<string>();
const several = new Set<string>();

for (const [key, entry] of Object.entries(dictionary)) {
  // Private elements, (gggg,"CREATOR",ee), are left out: their tag depends on the creator.
  const exact = /^\(([0-9A-F]{4})(?:-[0-9A-F]{4})?,([0-9A-F]{4})(?:-[0-9A-F]{4})?\)$/.exec(key);
  if (!entry || !exact) continue;
  const tag = exact[1]! + exact[2]!;
  const keyword = entry.name.replace(/^RETIRED_/, '');
  keywords.set(tag, keyword);
  if (entry.vr === 'xs') usOrSs.add(tag);
  if (entry.vm !== '1') several.add(tag);
  vrs.set(tag, AMBIGUOUS[entry.vr] ?? entry.vr);
  // A retired attribute never takes the keyword from one in use.
  if (!tags.has(keyword) || !entry.name.startsWith('RETIRED_')) tags.set(keyword, tag);
}

/** Returns the tag under which the dictionary lists a repeating group: overlays 60xx, curves 50xx (PS3.6 §6). */
function dictionaryTag(tag: string): string {
  if (vrs.has(tag)) return tag;
  const repeating = /^(50|60|7F)[0-9A-F][02468ACE]([0-9A-F]{4})$/.exec(tag);
  if (repeating) return `${repeating[1]}00${repeating[2]}`;
  return tag.startsWith('002031') ? '00203100' : tag;
}

/**
 * Returns the tag of an attribute by its keyword, or by its tag in eight hex digits of either case (PS3.18 §8.3.4.1).
 * @returns eight upper-case hex digits; undefined for a keyword that PS3.6 does not list
 */
export function tagOf(keywordOrTag: string): string | undefined {
  return /^[0-9A-Fa-f]{8}$/.test(keywordOrTag) ? keywordOrTag.toUpperCase() : tags.get(keywordOrTag);
}

/** Returns the keyword of a tag (PS3.6); undefined for private and unknown tags. */
export function keywordOf(tag: string): string | undefined {
  return keywords.get(dictionaryTag(tag.toUpperCase()));
}

/** Returns true for an attribute that may have several values (PS3.6, column VM). */
export function hasSeveralValues(tag: string): boolean {
  return several.has(dictionaryTag(tag));
}

/** VRs whose values a row of a table cannot have: bytes, sequences, and those of unknown type. */
const NO_TEXTS: ReadonlySet<string> = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'UN']);

/** Returns true for the keyword of an attribute with texts, numbers or dates. */
export function isPlainKeyword(keyword: string): boolean {
  const tag = tags.get(keyword);
  return tag !== undefined && !NO_TEXTS.has(vrs.get(tag)!);
}

/** Returns true when the group number is odd (PS3.5 §7.8). */
export function isPrivate(tag: string): boolean {
  return (parseInt(tag.slice(0, 4), 16) & 1) === 1;
}

/**
 * Returns the value representation of a tag. When several are possible: OW for pixel, overlay and LUT data, US for pixel
 * values. Private creators are LO, group lengths UL (PS3.5 §7.8.1, §7.2).
 * @returns undefined for private and unknown tags
 */
export function vrOf(tag: string): string | undefined {
  const upper = tag.toUpperCase();
  if (upper.endsWith('0000')) return 'UL';
  if (isPrivate(upper)) return /^[0-9A-F]{4}00[1-9A-F][0-9A-F]$/.test(upper) ? 'LO' : undefined;
  return vrs.get(dictionaryTag(upper));
}

/** Returns true when Pixel Representation (0028,0103) decides whether the attribute is US or SS (PS3.5 §A.1 note). */
export function isUsOrSs(tag: string): boolean {
  return usOrSs.has(tag);
}
