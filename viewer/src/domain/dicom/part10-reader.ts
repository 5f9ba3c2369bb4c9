/** Reads DICOM files in Explicit VR Little Endian, as this viewer and most others write reports and presentation states. */
import { base64 } from '../documents/inline-bytes.ts';
import { text, type Attribute, type Instance } from '../instance.ts';
import {
  BINARY,
  EXPLICIT_LITTLE_ENDIAN,
  ITEM,
  ITEM_END,
  LONG_HEADER,
  NUMBERS,
  ONE_TEXT,
  SEQUENCE_END,
  TEXTS,
} from './encoding.ts';

/** Why a file is not read: it is no DICOM file, it ends too early or contradicts itself, it has another transfer syntax. */
export type FileRefusal = 'foreign' | 'cut' | 'encoding';

export type FileReading = { instance: Instance } | { refused: FileRefusal };

const PREAMBLE = 128;

/** Reads a file. It never throws, whatever the bytes are. */
export function readPart10(bytes: Uint8Array<ArrayBuffer>): FileReading {
  const magic = String.fromCharCode(...bytes.subarray(PREAMBLE, PREAMBLE + 4));
  if (magic !== 'DICM') return { refused: 'foreign' };
  try {
    const reader = new Reader(bytes, PREAMBLE + 4);
    const meta = reader.dataSet(bytes.length, (tag) => !tag.startsWith('0002'));
    if (text(meta, '00020010') !== EXPLICIT_LITTLE_ENDIAN) return { refused: 'encoding' };
    const instance = reader.dataSet(bytes.length);
    const isObject = ['00080016', '00080018', '0020000D'].every((tag) => text(instance, tag));
    return isObject ? { instance } : { refused: 'cut' };
  } catch {
    return { refused: 'cut' };
  }
}

const UNDEFINED_LENGTH = 0xffffffff;
const MOST_DEPTH = 64;

/** Character sets of one byte or of Unicode, by defined term (PS3.3 §C.12.1.1.2). */
const CHARACTER_SETS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries({ 101: 2, 109: 3, 110: 4, 144: 5, 127: 6, 126: 7, 138: 8, 148: 9 }).flatMap(
      ([number, part]) => [
        [`ISO_IR ${number}`, `iso-8859-${part}`],
        [`ISO 2022 IR ${number}`, `iso-8859-${part}`],
      ],
    ),
  ),
  'ISO_IR 192': 'utf-8',
  'ISO_IR 166': 'windows-874',
  'ISO_IR 13': 'shift_jis',
  GB18030: 'gb18030',
  GBK: 'gbk',
};

class Reader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #at: number;
  #decoder = new TextDecoder('latin1');
  #depth = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = at;
  }

  /**
   * Reads attributes as far as `end`.
   * @param isBeyond true for a tag that is no longer of this data set; it is not read
   * @throws RangeError for a value that reaches beyond `end`
   */
  dataSet(end: number, isBeyond: (tag: string) => boolean = () => false): Instance {
    const found: Record<string, Attribute> = {};
    while (this.#at < end) {
      const start = this.#at;
      const tag = this.#tag();
      if (isBeyond(tag)) {
        this.#at = start;
        break;
      }
      found[tag] = this.#attribute(end);
      if (tag === '00080005') this.#decoder = decoderOf(found[tag]);
    }
    return found;
  }

  #attribute(end: number): Attribute {
    const vr = String.fromCharCode(...this.#take(2));
    if (LONG_HEADER.has(vr)) this.#take(2);
    const length = LONG_HEADER.has(vr) ? this.#uint32() : this.#uint16();
    if (vr === 'SQ') return { vr, Value: this.#items(length, end) };
    if (length > end - this.#at) throw new RangeError(`${vr} of ${length} bytes`);
    return this.#value(vr, this.#take(length));
  }

  #items(length: number, end: number): Instance[] {
    const last = length === UNDEFINED_LENGTH ? end : this.#at + length;
    if (last > end || ++this.#depth > MOST_DEPTH) throw new RangeError('a sequence beyond its end');
    const items: Instance[] = [];
    // Beyond `last`, where a sequence without a length has no end, reading fails.
    while (length === UNDEFINED_LENGTH || this.#at < last) {
      const tag = this.#tag();
      const size = this.#uint32();
      if (tag === SEQUENCE_END && length === UNDEFINED_LENGTH) break;
      const itemEnd = size === UNDEFINED_LENGTH ? last : this.#at + size;
      if (tag !== ITEM || itemEnd > last) throw new RangeError('an item beyond its end');
      items.push(this.dataSet(itemEnd, (inner) => inner === ITEM_END));
      if (size === UNDEFINED_LENGTH) this.#take(8);
    }
    this.#depth--;
    return items;
  }

  #value(vr: string, bytes: Uint8Array): Attribute {
    if (bytes.length === 0) return { vr };
    const { [vr]: numbers } = NUMBERS;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const each = <T>(size: number, read: (at: number) => T): T[] =>
      Array.from({ length: Math.floor(bytes.length / size) }, (_, at) => read(at * size));
    if (numbers) return { vr, Value: each(numbers.size, (at) => numbers.get(view, at)) };
    if (vr === 'AT')
      return {
        vr,
        Value: each(4, (at) => hex(view.getUint16(at, true)) + hex(view.getUint16(at + 2, true))),
      };
    if (BINARY.has(vr)) return { vr, InlineBinary: base64(bytes) };
    if (!TEXTS.has(vr)) throw new RangeError(`an unknown value representation, ${vr}`);
    return textAttribute(vr, this.#decoder.decode(bytes));
  }

  #tag(): string {
    return hex(this.#uint16()) + hex(this.#uint16());
  }

  #uint16(): number {
    return this.#view.getUint16((this.#at += 2) - 2, true);
  }

  #uint32(): number {
    return this.#view.getUint32((this.#at += 4) - 4, true);
  }

  #take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw new RangeError('beyond the end of the file');
    return this.#bytes.subarray(this.#at, (this.#at += length));
  }
}

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(4, '0');

function decoderOf({ Value: [named = ''] = [] }: Attribute): TextDecoder {
  return new TextDecoder(CHARACTER_SETS[String(named)] ?? 'latin1');
}

/** Values are padded with spaces, or with a null (PS3.5 §6.2). */
function textAttribute(vr: string, written: string): Attribute {
  if (ONE_TEXT.has(vr)) return { vr, Value: [written.replace(/[ \0]+$/, '')] };
  const values = written.split('\\').map((one) => one.replace(/^ +|[ \0]+$/g, ''));
  const Value = values.map((one) => (one === '' ? null : parsed(vr, one)));
  return Value.every((one) => one === null) ? { vr } : { vr, Value };
}

function parsed(vr: string, value: string): unknown {
  if (vr === 'PN') {
    const [Alphabetic, Ideographic, Phonetic] = value.split('=').map((group) => group || undefined);
    return {
      ...(Alphabetic && { Alphabetic }),
      ...(Ideographic && { Ideographic }),
      ...(Phonetic && { Phonetic }),
    };
  }
  const isNumber = (vr === 'DS' || vr === 'IS') && Number.isFinite(Number(value));
  return isNumber ? Number(value) : value;
}
