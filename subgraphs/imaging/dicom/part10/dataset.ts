import { isPrivate, vrOf } from '../../../../schema/dicom/dictionary.ts';
import { Budget, OverBudget } from './budget.ts';
import { DamagedFile, type Bytes } from './bytes.ts';

/** Encoding of a data set, PS3.5 §7.1 and Annex A. */
export interface Encoding {
  explicitVr: boolean;
  littleEndian: boolean;
}

/** The position of one data element in the file. Its value is read when it is needed. */
export interface Element {
  /** Eight upper-case hex digits. */
  tag: string;
  vr: string;
  /** Start of the value. */
  offset: number;
  /** Bytes of the value: for encapsulated pixel data all items with their delimiter, or -1 if they were not read. */
  length: number;
  /** Items of a sequence, if they were read. */
  items?: Item[];
  /** Encapsulated pixel data, PS3.5 §A.4: the Basic Offset Table, then the fragments. */
  fragments?: Fragments;
}

/** An item of a sequence. Within a value of VR UN it is always implicit VR little endian (PS3.5 §6.2.2). */
export interface Item {
  elements: Element[];
  encoding: Encoding;
}

/** Positions of fragments, in order. A slide has a million: as objects they would take a hundred times the memory. */
export interface Fragments {
  offsets: Float64Array;
  lengths: Uint32Array;
}

export interface ReadOptions {
  /** Continues while this is true of the next tag of the outermost level. */
  while?: (tag: string) => boolean;
  /** Stops after this element of the outermost level, whose value may stay unread. */
  until?: (tag: string) => boolean;
  /** Selects sequences whose items are read; by default all. */
  into?: (tag: string) => boolean;
  /** Limits of reading; by default those of one object. */
  budget?: Budget;
  /** Over budget, returns the elements of the outermost level that were read, in place of an error. */
  partial?: boolean;
}

// PS3.5 §7.1.2: these have 32-bit lengths after two reserved bytes, as every future VR will.
const LONG = new Set('OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' '));
const SHORT = new Set('AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US'.split(' '));
const UNDEFINED = 0xffffffff;
const IMPLICIT: Encoding = { explicitVr: false, littleEndian: true };
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase().padStart(2, '0'));

/** Levels of sequences. Real objects have a few; more is an attack or rubbish. */
const MAX_DEPTH = 64;
/** Bytes read for the head of a fragment when fragments are long, because more would not be used. */
const FRAGMENT_HEAD = 512;

const NO_FRAGMENTS: Fragments = { offsets: new Float64Array(), lengths: new Uint32Array() };

/** Tells whether two letters name a value representation of PS3.5 §6.2. */
export function isVr(vr: string): boolean {
  return LONG.has(vr) || SHORT.has(vr);
}

/** Tells whether the explicit encoding of this VR has a 32-bit length, PS3.5 §7.1.2. */
export function hasLongLength(vr: string): boolean {
  return !SHORT.has(vr);
}

/** A part of a file: offset of its first byte, and offset after the last. */
export interface Extent {
  start: number;
  end: number;
}

/**
 * Reads the elements of a data set, PS3.5 §7.
 * @throws DamagedFile when lengths contradict each other or the file, nesting is too deep, or delimiters are missing
 */
export function readDataset(
  bytes: Bytes,
  { start, end }: Extent,
  encoding: Encoding,
  options: ReadOptions = {},
): Element[] {
  const reader = new Reader(bytes, options);
  const elements: Element[] = [];
  try {
    reader.elements(start, { end, encoding, delimited: false, depth: 0 }, elements);
  } catch (error) {
    if (error instanceof OverBudget) {
      if (!options.partial) throw error;
      // The last element is the one that exceeded the budget.
      return elements.slice(0, -1);
    }
    const pixels = elements.findIndex(({ tag, length }) => isPixelData(tag) && length !== UNDEFINED);
    if (pixels < 0 || !(error instanceof DamagedFile)) throw error;
    // Some devices pad their files with rubbish after complete pixels. The elements before it are valid.
    return elements.filter(({ length }, i) => i <= pixels || length !== UNDEFINED);
  }
  return elements;
}

/** Tells whether a top-level element contains pixels, PS3.5 §8. */
export function isPixelData(tag: string): boolean {
  return tag === '7FE00010' || tag === '7FE00008' || tag === '7FE00009';
}

/** Reads the Basic Offset Table and the fragments of encapsulated pixel data from `start` on, and their end. */
export function readFragments(
  bytes: Bytes,
  { start, end }: Extent,
  littleEndian: boolean,
  budget: Budget,
): { fragments: Fragments; end: number } {
  let position = start;
  const fragments = new FragmentList();
  const [item, delimiter] = littleEndian ? [0xe000fffe, 0xe0ddfffe] : [0xfffee000, 0xfffee0dd];
  for (let before: number | undefined; ;) {
    if (position + 8 > end) throw new DamagedFile('Encapsulated pixel data end without a delimiter.');
    const at = bytes.ensure(position, 8, before! > FRAGMENT_HEAD ? FRAGMENT_HEAD : undefined);
    const tag = uint32(bytes.buffer, at, littleEndian);
    const length = uint32(bytes.buffer, at + 4, littleEndian);
    position += 8;
    if (tag === delimiter) return { fragments: fragments.all(), end: position };
    if (tag !== item || length > end - position)
      throw new DamagedFile('A fragment of pixel data is damaged.');
    // The offset table, which comes first, is not a fragment.
    if (before !== undefined) budget.countFragment();
    fragments.add(position, length);
    position += length;
    before = length;
  }
}

/** Collects fragments in arrays that grow. */
class FragmentList {
  #offsets = new Float64Array(16);
  #lengths = new Uint32Array(16);
  #count = 0;

  add(offset: number, length: number): void {
    if (this.#count === this.#lengths.length) this.#grow();
    this.#offsets[this.#count] = offset;
    this.#lengths[this.#count++] = length;
  }

  all(): Fragments {
    return { offsets: this.#offsets.slice(0, this.#count), lengths: this.#lengths.slice(0, this.#count) };
  }

  #grow(): void {
    const [offsets, lengths] = [this.#offsets, this.#lengths];
    this.#offsets = new Float64Array(2 * this.#count);
    this.#offsets.set(offsets);
    this.#lengths = new Uint32Array(2 * this.#count);
    this.#lengths.set(lengths);
  }
}

/** A data set or sequence that is read. */
interface Within {
  /** Offset after it, or after what it is in. */
  end: number;
  encoding: Encoding;
  /** True if a delimiter ends it. */
  delimited: boolean;
  /** Number of sequences around it. */
  depth: number;
}

class Reader {
  readonly #bytes: Bytes;
  readonly #options: ReadOptions;
  readonly #budget: Budget;

  constructor(bytes: Bytes, options: ReadOptions) {
    this.#bytes = bytes;
    this.#options = options;
    this.#budget = options.budget ?? new Budget();
  }

  /** @returns the end of the data set: `end`, after an item delimiter, or before a sequence delimiter */
  elements(position: number, within: Within, into: Element[] | undefined): number {
    const { end, encoding, delimited, depth } = within;
    if (depth > MAX_DEPTH) throw new DamagedFile('Sequences are nested too deep.');
    const { explicitVr, littleEndian } = encoding;
    // Fewer than eight bytes are no element: some writers pad the end of a file.
    while (position + 8 <= end) {
      this.#budget.count();
      const at = this.#bytes.ensure(position, 8);
      const buffer = this.#bytes.buffer;
      const tag = tagAt(buffer, at, littleEndian);
      if (depth === 0 && this.#options.while && !this.#options.while(tag)) return position;
      if (tag.startsWith('FFFEE0')) {
        if (tag === 'FFFEE00D' && delimited) return position + 8;
        if (tag === 'FFFEE0DD' && delimited) return position;
        // A delimiter after an item or sequence of known length has no meaning.
        if (tag !== 'FFFEE000') {
          position += 8;
          continue;
        }
        throw new DamagedFile('An item stands outside a sequence.');
      }
      let vr: string;
      let length: number;
      const letters = explicitVr ? vrAt(buffer, at + 4) : undefined;
      if (letters === undefined) {
        // Implicit VR. Some devices also write such elements into an explicit data set.
        vr = vrOf(tag) ?? 'UN';
        length = uint32(buffer, at + 4, littleEndian);
        position += 8;
      } else if (SHORT.has(letters)) {
        vr = letters;
        length = littleEndian
          ? buffer[at + 6]! | (buffer[at + 7]! << 8)
          : (buffer[at + 6]! << 8) | buffer[at + 7]!;
        position += 8;
      } else {
        // PS3.5 §6.2.2 note: UN may replace a VR that the writer did not know. Sequences stay UN.
        const known = letters === 'UN' && littleEndian && !isPrivate(tag) ? vrOf(tag) : undefined;
        vr = known && known !== 'SQ' ? known : letters;
        if (position + 12 > end) throw new DamagedFile('The file ends within an element.');
        length = uint32(this.#bytes.buffer, this.#bytes.ensure(position + 8, 4), littleEndian);
        // `ensure` may have moved the window: `buffer` and `at` are no longer valid.
        position += 12;
      }
      if (length !== UNDEFINED && length > end - position)
        throw new DamagedFile(`${tag} is longer than the file.`);

      const element: Element = { tag, vr, offset: position, length };
      into?.push(element);
      if (depth === 0 && this.#options.until?.(tag)) {
        if (length === UNDEFINED) Object.assign(element, { length: -1, fragments: NO_FRAGMENTS });
        return position;
      }
      position = this.#value(element, position, within, into !== undefined);
      element.length = position - element.offset;
    }
    if (delimited) throw new DamagedFile('An item ends without a delimiter.');
    return end;
  }

  #value(element: Element, position: number, { end, encoding, depth }: Within, keep: boolean): number {
    const { vr, length, tag } = element;
    const wanted = keep && (this.#options.into?.(tag) ?? true);
    if (length === UNDEFINED) {
      if (vr.startsWith('O')) {
        const found = readFragments(
          this.#bytes,
          { start: position, end },
          encoding.littleEndian,
          this.#budget,
        );
        element.fragments = found.fragments;
        return found.end;
      }
      if (vr === 'SQ')
        return this.#sequence(element, position, { end, encoding, delimited: true, depth }, wanted);
      if (vr !== 'UN') throw new DamagedFile(`${tag} has a VR that must have a length.`);
      // PS3.5 §6.2.2 note 5: a sequence of unknown VR is written in implicit VR little endian.
      element.vr = 'SQ';
      return this.#sequence(element, position, { end, encoding: IMPLICIT, delimited: true, depth }, wanted);
    }
    const after = position + length;
    if (vr === 'SQ' && wanted)
      this.#sequence(element, position, { end: after, encoding, delimited: false, depth }, true);
    return after;
  }

  #sequence(
    element: Element,
    position: number,
    { end, encoding, delimited, depth }: Within,
    keep: boolean,
  ): number {
    const items: Item[] = [];
    if (keep) element.items = items;
    while (position + 8 <= end) {
      this.#budget.count();
      const at = this.#bytes.ensure(position, 8);
      const tag = tagAt(this.#bytes.buffer, at, encoding.littleEndian);
      const length = uint32(this.#bytes.buffer, at + 4, encoding.littleEndian);
      position += 8;
      if (tag === 'FFFEE0DD') return delimited ? position : end;
      if (tag !== 'FFFEE000') throw new DamagedFile(`${element.tag} holds something else than items.`);
      const open = length === UNDEFINED;
      if (!open && length > end - position) throw new DamagedFile(`An item of ${element.tag} is too long.`);
      const elements: Element[] = [];
      const itemEnd = open ? end : position + length;
      // An item of known length that is not needed is skipped.
      if (open || keep) {
        const item = { end: itemEnd, encoding, delimited: open, depth: depth + 1 };
        const after = this.elements(position, item, keep ? elements : undefined);
        position = open ? after : itemEnd;
      } else position = itemEnd;
      if (keep) items.push({ elements, encoding });
    }
    if (delimited) throw new DamagedFile(`${element.tag} ends without a delimiter.`);
    return end;
  }
}

/** Returns two upper-case letters, which may be a VR; undefined for anything else. */
function vrAt(buffer: Buffer, at: number): string | undefined {
  const first = buffer[at]!;
  const second = buffer[at + 1]!;
  if (first < 65 || first > 90 || second < 65 || second > 90) return undefined;
  return String.fromCharCode(first, second);
}

function tagAt(buffer: Buffer, at: number, littleEndian: boolean): string {
  return littleEndian
    ? HEX[buffer[at + 1]!]! + HEX[buffer[at]!]! + HEX[buffer[at + 3]!]! + HEX[buffer[at + 2]!]!
    : HEX[buffer[at]!]! + HEX[buffer[at + 1]!]! + HEX[buffer[at + 2]!]! + HEX[buffer[at + 3]!]!;
}

function uint32(buffer: Buffer, at: number, littleEndian: boolean): number {
  return littleEndian ? buffer.readUInt32LE(at) : buffer.readUInt32BE(at);
}
