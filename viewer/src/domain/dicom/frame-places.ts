/** Finds the frames in a DICOM file (PS3.5 §7, §8, §A.4) without reading what stands before them. */
import { ITEM, ITEM_END, LONG_HEADER, SEQUENCE_END } from './encoding.ts';

/** Bytes of a file: the first, and how many. */
type Place = readonly [at: number, length: number];

export interface FilePixels {
  transferSyntax: string;
  /** Of each frame, the parts that it consists of: fragments of a compressed one. Empty where they cannot be told apart. */
  frames: readonly (readonly Place[])[];
  /** Of the whole value. */
  value: readonly Place[];
}

const IMPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2';
/** Deflated, and big endian: a file has no frames as they are read elsewhere. */
const NOT_HERE = ['1.2.840.10008.1.2.1.99', '1.2.840.10008.1.2.2'];
const PREAMBLE = 132;
const PIXELS = ['7FE00008', '7FE00009', '7FE00010'];
const UNDEFINED_LENGTH = 0xffffffff;

/** Facts of the file meta information (PS3.10 §7.1). */
export interface FileMeta {
  sopClass: string;
  uid: string;
  transferSyntax: string;
  /** First byte of the data set. */
  end: number;
}

/** Reads the file meta information. @returns undefined for what is no DICOM file */
export function fileMeta(bytes: Uint8Array<ArrayBuffer>): FileMeta | undefined {
  const walk = new Walk(bytes, PREAMBLE, true);
  const texts: Record<string, string> = {};
  try {
    if (walk.characters(PREAMBLE - 4, 4) !== 'DICM') return undefined;
    while (walk.at < bytes.length && walk.isGroup('0002')) {
      const { tag, at, length } = walk.element();
      texts[tag] = walk.characters(at, length).replace(/[\0 ]+$/, '');
      walk.at = at + length;
    }
  } catch {
    return undefined;
  }
  const { '00020002': sopClass, '00020003': uid, '00020010': transferSyntax } = texts;
  return sopClass && uid && transferSyntax ? { sopClass, uid, transferSyntax, end: walk.at } : undefined;
}

/**
 * Finds the pixels of a file.
 * @param size frames of the object, and bits of one without compression
 * @returns undefined where there are none, or the file ends too early
 */
export function framePlaces(
  bytes: Uint8Array<ArrayBuffer>,
  size: { frames: number; bits: number },
): FilePixels | undefined {
  const meta = fileMeta(bytes);
  if (!meta || NOT_HERE.includes(meta.transferSyntax)) return undefined;
  const { transferSyntax } = meta;
  try {
    const walk = new Walk(bytes, meta.end, transferSyntax !== IMPLICIT_LITTLE_ENDIAN);
    let offsets: readonly number[] = [];
    while (walk.at < bytes.length) {
      const { tag, at, length } = walk.element();
      // Extended Offset Table (PS3.3 §C.7.6.3.1.8).
      if (tag === '7FE00001') offsets = walk.longs(at, length);
      if (!PIXELS.includes(tag)) walk.skip(at, length);
      else if (length === UNDEFINED_LENGTH)
        return { transferSyntax, ...walk.encapsulated(size.frames, offsets) };
      else return at + length > bytes.length ? undefined : { transferSyntax, ...native([at, length], size) };
    }
  } catch {
    // It ends too early.
  }
  return undefined;
}

type Found = Omit<FilePixels, 'transferSyntax'>;

/** Frames without compression follow each other, without padding between them: those of single bits may begin within a byte. */
function native([at, length]: Place, { frames: count, bits }: { frames: number; bits: number }): Found {
  const value: Place[] = [[at, length]];
  // Colour at every second pixel has fewer bytes than the bits say.
  const size = Math.floor(length / count);
  const isApart = size > 0 && length - size * count <= 1 && (count === 1 || bits % 8 === 0);
  const frameOf = (_: unknown, index: number): Place[] => [[at + index * size, size]];
  return { frames: isApart ? Array.from({ length: count }, frameOf) : [], value };
}

class Walk {
  at: number;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #isExplicit: boolean;

  constructor(bytes: Uint8Array<ArrayBuffer>, at: number, isExplicit: boolean) {
    this.at = at;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#isExplicit = isExplicit;
  }

  isGroup(group: string): boolean {
    return hex(this.#view.getUint16(this.at, true)) === group;
  }

  characters(at: number, length: number): string {
    return String.fromCharCode(...this.#bytes.subarray(at, at + length));
  }

  longs(at: number, length: number): number[] {
    return Array.from({ length: length / 8 }, (_, index) =>
      Number(this.#view.getBigUint64(at + index * 8, true)),
    );
  }

  /** Reads the head of an element; `at` is then the first byte of its value. */
  element(): { tag: string; at: number; length: number } {
    const tag = this.#tag();
    const vr = this.characters(this.at, 2);
    // Items and their ends have none.
    if (!this.#isExplicit || tag.startsWith('FFFE')) return this.#found(tag, 4);
    if (LONG_HEADER.has(vr)) {
      this.at += 4;
      return this.#found(tag, 4);
    }
    this.at += 2;
    return this.#found(tag, 2);
  }

  /** Goes to what follows a value. One of undefined length ends where its items do (PS3.5 §7.5). */
  skip(at: number, length: number): void {
    this.at = at + length;
    if (length !== UNDEFINED_LENGTH) return;
    this.at = at;
    for (;;) {
      const item = this.element();
      if (item.tag === SEQUENCE_END) return;
      if (item.length !== UNDEFINED_LENGTH) this.at = item.at + item.length;
      else this.#skipItem();
    }
  }

  #skipItem(): void {
    for (;;) {
      const inner = this.element();
      if (inner.tag === ITEM_END) return;
      this.skip(inner.at, inner.length);
    }
  }

  /** Reads fragments, and finds out which frame each is of (PS3.5 §A.4). */
  encapsulated(count: number, extended: readonly number[]): Found {
    const table = this.element();
    const basic = Array.from({ length: table.length / 4 }, (_, index) =>
      this.#view.getUint32(table.at + index * 4, true),
    );
    this.at = table.at + table.length;
    const start = this.at;
    const value: Place[] = [];
    for (;;) {
      const { tag, at, length } = this.element();
      if (tag === SEQUENCE_END) break;
      if (tag !== ITEM || at + length > this.#bytes.length) throw new RangeError('a fragment beyond its end');
      value.push([at, length]);
      this.at = at + length;
    }
    if (count === 1) return { frames: [value], value };
    if (value.length === count) return { frames: value.map((one) => [one]), value };
    const offsets = extended.length > 0 ? extended : basic;
    const frames = Array.from({ length: offsets.length === count ? count : 0 }, (): Place[] => []);
    // An offset is that of the head of an item, of eight bytes.
    for (const one of value)
      frames[offsets.findLastIndex((offset) => offset <= one[0] - 8 - start)]?.push(one);
    return { frames: frames.every(({ length }) => length > 0) ? frames : [], value };
  }

  #found(tag: string, size: 2 | 4): { tag: string; at: number; length: number } {
    const length = size === 2 ? this.#view.getUint16(this.at, true) : this.#view.getUint32(this.at, true);
    this.at += size;
    return { tag, at: this.at, length };
  }

  #tag(): string {
    this.at += 4;
    return hex(this.#view.getUint16(this.at - 4, true)) + hex(this.#view.getUint16(this.at - 2, true));
  }
}

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(4, '0');
