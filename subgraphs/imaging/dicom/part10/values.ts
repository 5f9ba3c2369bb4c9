import type { Bytes } from './bytes.ts';
import type { Element, Encoding } from './dataset.ts';

/** Bytes of one number or word by VR: the unit of swapping between byte orders, PS3.5 §7.3. */
export const UNIT: Record<string, number> = {
  AT: 2,
  OW: 2,
  SS: 2,
  US: 2,
  FL: 4,
  OF: 4,
  OL: 4,
  SL: 4,
  UL: 4,
  FD: 8,
  OD: 8,
  OV: 8,
  SV: 8,
  UV: 8,
};

/** VRs of text in the character set of the data set, PS3.5 §6.1.2.3. */
const CHARACTER_SET = new Set(['LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UT']);
/** VRs with one value, in which a backslash is a character and leading spaces are significant, PS3.5 §6.2. */
const SINGLE_TEXT = new Set(['LT', 'ST', 'UT', 'UR']);

export type Decode = (bytes: Buffer, personName?: boolean) => string;

/** Returns text values without padding; none for an empty element. */
export function textValues(vr: string, bytes: Buffer, decode: Decode): string[] {
  if (bytes.length === 0) return [];
  const text = CHARACTER_SET.has(vr) ? decode(bytes, vr === 'PN') : bytes.toString('latin1');
  if (SINGLE_TEXT.has(vr)) return [text.replace(/[\0 ]+$/, '')];
  const values = text.split('\\').map((value) => value.replace(/^[\0 ]+|[\0 ]+$/g, ''));
  return values.length === 1 && values[0] === '' ? [] : values;
}

/** Splits a person name into three groups, PS3.18 §F.2.2, without empty components at the end; undefined if empty. */
export function personName(value: string): Record<string, string> | undefined {
  const [Alphabetic, Ideographic, Phonetic] = value
    .split('=')
    .map((group) => group.trim().replace(/\^+$/, ''));
  const name = {
    ...(Alphabetic && { Alphabetic }),
    ...(Ideographic && { Ideographic }),
    ...(Phonetic && { Phonetic }),
  };
  return Object.keys(name).length > 0 ? name : undefined;
}

/** Returns numbers of a binary VR. 64-bit integers beyond 2⁵³, NaN and infinities become text. */
export function binaryNumbers(vr: string, bytes: Buffer, littleEndian: boolean): (number | string)[] {
  const unit = UNIT[vr]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const read = READ[vr]!;
  return Array.from({ length: Math.floor(bytes.length / unit) }, (_, i) =>
    read(view, i * unit, littleEndian),
  );
}

const READ: Record<string, (view: DataView, at: number, little: boolean) => number | string> = {
  US: (view, at, little) => view.getUint16(at, little),
  SS: (view, at, little) => view.getInt16(at, little),
  UL: (view, at, little) => view.getUint32(at, little),
  SL: (view, at, little) => view.getInt32(at, little),
  FL: (view, at, little) => finite(shortest(view.getFloat32(at, little))),
  FD: (view, at, little) => finite(view.getFloat64(at, little)),
  UV: (view, at, little) => safe(view.getBigUint64(at, little)),
  SV: (view, at, little) => safe(view.getBigInt64(at, little)),
};

/** Returns the shortest decimal of a 32-bit float: 0.1, not 0.10000000149011612. */
function shortest(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return value;
}

function finite(value: number): number | string {
  return Number.isFinite(value) ? value : Number.isNaN(value) ? 'NaN' : value > 0 ? 'inf' : '-inf';
}

function safe(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/** Returns DS and IS as numbers (PS3.18 §F.2.3.1 allows both). An invalid number stays the text of the file. */
export function decimal(value: string): number | string | null {
  if (value === '') return null;
  const number = Number(value);
  return Number.isFinite(number) && !/^[+-]?0[xob]/i.test(value) ? number : value;
}

/** Reverses the bytes of each word of `unit` bytes in place. */
export function swap(bytes: Buffer, unit: number): Buffer {
  const whole = bytes.subarray(0, bytes.length - (bytes.length % unit));
  if (unit === 2) whole.swap16();
  else if (unit === 4) whole.swap32();
  else if (unit === 8) whole.swap64();
  return bytes;
}

/** Returns the value of an element in little endian, for JSON and bulk data. */
export function littleEndianValue(bytes: Bytes, element: Element, encoding: Encoding): Buffer {
  const value = bytes.slice(element.offset, element.length);
  return encoding.littleEndian ? value : swap(value, UNIT[element.vr] ?? 1);
}
