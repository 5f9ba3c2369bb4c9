/** Attributes of an instance as they are read: names, values and nested items. */
import type { Attribute, Instance } from './instance.ts';

/** Keywords of PS3.6 by group, as `dicom-names.ts` writes them: `{ "0010": "0010PatientName …" }`. */
export type NameTable = Readonly<Record<string, string>>;

export interface AttributeNode {
  /** Unique among all nodes of the instance. */
  path: string;
  /** `(0010,0010)`. */
  tag: string;
  vr: string;
  /** `Patient Name`; undefined for a private attribute, and one that PS3.6 does not have. */
  name?: string;
  keyword?: string;
  /** The owner of a private attribute. */
  creator?: string;
  isPrivate: boolean;
  /** Several values have a backslash between them, as in a file. Empty for binary values and sequences. */
  value: string;
  /** Bytes of a binary value, where they are known. */
  binary?: { bytes?: number };
  /** Of a sequence. */
  items?: readonly Instance[];
}

/** Reads names out of the table, a group at a time. */
export class AttributeNames {
  readonly #table: NameTable;
  readonly #groups = new Map<string, Map<string, string>>();

  constructor(table: NameTable) {
    this.#table = table;
  }

  /** Returns the keyword of a tag of eight digits; undefined if PS3.6 has none. */
  keyword(tag: string): string | undefined {
    if (tag.endsWith('0000')) return 'GenericGroupLength';
    const group = tag.slice(0, 4);
    // Repeating groups (PS3.6 §6): overlays, curves.
    const first = this.#table[group] === undefined ? group.replace(/^(50|60|7F)../, '$100') : group;
    return this.#of(first).get(tag.slice(4));
  }

  #of(group: string): Map<string, string> {
    const known = this.#groups.get(group);
    if (known) return known;
    const entries = (this.#table[group] ?? '').split(' ').filter(Boolean);
    const found = new Map(entries.map((entry): [string, string] => [entry.slice(0, 4), entry.slice(4)]));
    this.#groups.set(group, found);
    return found;
  }
}

/** Binary values (PS3.5 §6.2): they have no text. */
const BINARY = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'UN']);

/** Returns the attributes of an instance, or of an item, in the order of their tags. */
export function attributesOf(instance: Instance, names: AttributeNames, path = ''): AttributeNode[] {
  return Object.keys(instance)
    .sort()
    .map((tag) => nodeOf(tag, instance, { names, path: `${path}/${tag}` }));
}

function nodeOf(
  tag: string,
  instance: Instance,
  { names, path }: { names: AttributeNames; path: string },
): AttributeNode {
  const attribute = instance[tag]!;
  const isPrivate = parseInt(tag.slice(0, 4), 16) % 2 === 1;
  const keyword = isPrivate ? undefined : names.keyword(tag);
  const creator = isPrivate ? creatorOf(tag, instance) : undefined;
  return {
    path,
    tag: `(${tag.slice(0, 4)},${tag.slice(4)})`,
    vr: attribute.vr,
    ...(keyword && { keyword, name: spaced(keyword) }),
    ...(creator && { creator }),
    isPrivate,
    value: attribute.vr === 'SQ' ? '' : textOf(attribute),
    ...(isBinary(attribute) && { binary: sizeOf(attribute) }),
    ...(attribute.vr === 'SQ' && { items: (attribute.Value ?? []) as readonly Instance[] }),
  };
}

/** Returns who has reserved the block of a private attribute (PS3.5 §7.8.1). */
function creatorOf(tag: string, instance: Instance): string | undefined {
  const block = tag.slice(4, 6);
  const [creator] = instance[`${tag.slice(0, 4)}00${block}`]?.Value ?? [];
  return block !== '00' && typeof creator === 'string' ? creator : undefined;
}

/** `SOPInstanceUID` as `SOP Instance UID`. */
const spaced = (keyword: string): string =>
  keyword.replace(/([a-z\d])([A-Z])/g, '$1 $2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2');

function textOf({ Value: values = [] }: Attribute): string {
  return values.map(oneText).join('\\');
}

function oneText(value: unknown): string {
  if (value === null || value === undefined) return '';
  // A person's name has up to three forms (PS3.18 §F.2.2).
  if (typeof value === 'object') return Object.values(value).filter(Boolean).join(' = ');
  return String(value as string | number);
}

const isBinary = ({ vr, BulkDataURI, InlineBinary, Value }: Attribute): boolean =>
  BulkDataURI !== undefined || InlineBinary !== undefined || (BINARY.has(vr) && Value === undefined);

function sizeOf({ InlineBinary: base64 }: Attribute): { bytes?: number } {
  return base64 === undefined ? {} : { bytes: Math.floor((base64.replace(/=+$/, '').length * 3) / 4) };
}

/** A search looks at so many attributes: the functional groups of thousands of frames take too long for a key press. */
const MOST_SEARCHED = 20_000;

/**
 * Returns the paths of the attributes that a search finds, and of the sequences that they are in.
 * @param search a part of a name, a keyword, a tag with or without punctuation, or a value
 */
export function foundPaths(instance: Instance, search: string, names: AttributeNames): Set<string> {
  const wanted = search.trim().toLowerCase();
  const asTag = /^[(]?[\da-fx]{4}[,\s]?[\da-fx]{0,4}[)]?$/.test(wanted) ? wanted.replace(/[(),\s]/g, '') : '';
  const found = new Set<string>();
  let left = MOST_SEARCHED;
  const searchIn = (one: Instance, path: string): boolean => {
    let any = false;
    for (const node of attributesOf(one, names, path)) {
      if (left-- <= 0) return any;
      const within = (node.items ?? []).map((item, index) => searchIn(item, `${node.path}/${index}`));
      if (!matches(node, wanted, asTag) && !within.includes(true)) continue;
      found.add(node.path);
      any = true;
    }
    return any;
  };
  searchIn(instance, '');
  return found;
}

function matches(
  { tag, name, keyword, creator, value }: AttributeNode,
  wanted: string,
  asTag: string,
): boolean {
  if (asTag !== '' && tag.replace(/[(),]/g, '').toLowerCase().startsWith(asTag)) return true;
  return [name, keyword, creator, value].some((text) => text?.toLowerCase().includes(wanted));
}
