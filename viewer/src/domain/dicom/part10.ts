/** Writes DICOM files (PS3.10 §7.1) in Explicit VR Little Endian and UTF-8, of the DICOM JSON model (PS3.18 §F.2). */
import { inlineBytes } from '../documents/inline-bytes.ts';
import { text, type Attribute, type Instance } from '../instance.ts';
import { BINARY, EXPLICIT_LITTLE_ENDIAN, ITEM, LONG_HEADER, NUMBERS, ONE_TEXT, TEXTS } from './encoding.ts';

/** Of this writer (PS3.7 §D.3.3.2), derived from a UUID. */
const IMPLEMENTATION = '2.25.211674350882219437090412640528837651093';
const IMPLEMENTATION_VERSION = 'SIG_VIEWER_1';

/**
 * Returns the bytes of a file. Its attributes may be in any order; those of the file meta information are written anew.
 * Characters that a value representation does not allow become spaces (PS3.5 §6.2).
 * @throws RangeError for a value that no file can have: a number that is none, one that is too long, bytes by address
 */
export function writePart10(instance: Instance): Uint8Array<ArrayBuffer> {
  const [sopClass, uid] = [text(instance, '00080016'), text(instance, '00080018')];
  if (!sopClass || !uid) throw new RangeError('an object without SOP Class or Instance UID');
  const own = Object.entries(instance).filter(([tag]) => !tag.startsWith('0002'));
  const characters: Attribute = { vr: 'CS', Value: ['ISO_IR 192'] };
  return writeFile({ sopClass, uid }, { ...Object.fromEntries(own), '00080005': characters });
}

/** Returns the bytes of a file whose data set does not say what it is, such as a DICOMDIR. @throws as `writePart10` */
export function writeFile(
  { sopClass, uid }: { sopClass: string; uid: string },
  content: Instance,
): Uint8Array<ArrayBuffer> {
  const meta = dataSet({
    '00020001': { vr: 'OB', InlineBinary: 'AAE=' },
    '00020002': { vr: 'UI', Value: [sopClass] },
    '00020003': { vr: 'UI', Value: [uid] },
    '00020010': { vr: 'UI', Value: [EXPLICIT_LITTLE_ENDIAN] },
    '00020012': { vr: 'UI', Value: [IMPLEMENTATION] },
    '00020013': { vr: 'SH', Value: [IMPLEMENTATION_VERSION] },
  });
  return joined([
    new Uint8Array(128),
    utf8('DICM'),
    ...element('00020000', { vr: 'UL', Value: [lengthOf(meta)] }),
    ...meta,
    ...dataSet(content),
  ]);
}

/** Returns the bytes that an item of a sequence has in a file, with its head. @throws as `writePart10` */
export const itemLength = (item: Instance): number => lengthOf(itemOf(item));

type Bytes = Uint8Array<ArrayBuffer>;

const lengthOf = (parts: readonly Bytes[]): number => parts.reduce((sum, { length }) => sum + length, 0);

function joined(parts: readonly Bytes[]): Bytes {
  const all = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const encoder = new TextEncoder();
const utf8 = (characters: string): Bytes => encoder.encode(characters);

/** Returns numbers of so many bytes each. */
function little(size: 2 | 4, ...numbers: readonly number[]): Bytes {
  const bytes = new Uint8Array(size * numbers.length);
  const view = new DataView(bytes.buffer);
  for (const [at, number] of numbers.entries())
    if (size === 2) view.setUint16(2 * at, number, true);
    else view.setUint32(4 * at, number, true);
  return bytes;
}

const tagOf = (tag: string): Bytes => little(2, parseInt(tag.slice(0, 4), 16), parseInt(tag.slice(4), 16));

/** Returns the parts of a data set, in the order of their tags (PS3.5 §7.1). Lengths are defined. */
function dataSet(instance: Instance): Bytes[] {
  return Object.keys(instance)
    .sort()
    .flatMap((tag) => element(tag, instance[tag]!));
}

function element(tag: string, attribute: Attribute): Bytes[] {
  const { vr } = attribute;
  const value = valueOf(tag, attribute);
  const length = lengthOf(value);
  if (LONG_HEADER.has(vr)) return [tagOf(tag), utf8(`${vr}\0\0`), little(4, length), ...value];
  if (length > 0xfffe) throw new RangeError(`(${tag}) ${vr} of ${length} bytes`);
  return [tagOf(tag), utf8(vr), little(2, length), ...value];
}

function valueOf(tag: string, { vr, Value: values = [], InlineBinary, BulkDataURI }: Attribute): Bytes[] {
  if (BulkDataURI !== undefined) throw new RangeError(`(${tag}) is somewhere else`);
  if (vr === 'SQ') return values.flatMap((item) => itemOf(item as Instance));
  if (vr === 'AT') return values.map((one) => tagOf(String(one)));
  const { [vr]: numbers } = NUMBERS;
  if (numbers) {
    const bytes = new Uint8Array(numbers.size * values.length);
    const view = new DataView(bytes.buffer);
    for (const [at, one] of values.entries()) numbers.set(view, at * numbers.size, finite(tag, Number(one)));
    return [bytes];
  }
  if (BINARY.has(vr)) return [even(inlineBytes(InlineBinary ?? '') ?? new Uint8Array(), 0)];
  if (!TEXTS.has(vr)) throw new RangeError(`(${tag}) has an unknown value representation, ${vr}`);
  return [even(utf8(textOf(tag, vr, values)), vr === 'UI' ? 0 : 0x20)];
}

function itemOf(item: Instance): Bytes[] {
  const parts = dataSet(item);
  return [tagOf(ITEM), little(4, lengthOf(parts)), ...parts];
}

function even(bytes: Bytes, pad: number): Bytes {
  return bytes.length % 2 === 0 ? bytes : joined([bytes, Uint8Array.of(pad)]);
}

function finite(tag: string, value: number): number {
  if (!Number.isFinite(value)) throw new RangeError(`(${tag}) has a number that is none`);
  return value;
}

/**
 * Line feed, form feed and carriage return are allowed in long texts only; a tab, which is too, is not taken by all readers. A
 * backslash separates values elsewhere.
 */
const NOT_IN_LONG = /[\u0000-\u0009\u000b\u000e-\u001f\u007f]/g;
const NOT_IN_SHORT = /[\u0000-\u001f\u007f\\]/g;

function textOf(tag: string, vr: string, values: readonly unknown[]): string {
  if (ONE_TEXT.has(vr)) return String(values[0] ?? '').replace(NOT_IN_LONG, ' ');
  return values.map((value) => oneText(tag, vr, value).replace(NOT_IN_SHORT, ' ')).join('\\');
}

function oneText(tag: string, vr: string, value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'object') return nameOf(value);
  return vr === 'DS' && typeof value === 'number' ? decimal(finite(tag, value)) : String(value as string);
}

/** Returns a person's name with its groups (PS3.5 §6.2.1.2). */
function nameOf(name: { Alphabetic?: string; Ideographic?: string; Phonetic?: string }): string {
  const groups = [name.Alphabetic, name.Ideographic, name.Phonetic];
  return groups
    .map((group) => (group ?? '').replaceAll('=', ' '))
    .join('=')
    .replace(/=+$/, '');
}

const MOST_DECIMAL = 16;

/** Returns a number as a Decimal String: at most 16 characters (PS3.5 §6.2). */
export function decimal(value: number): string {
  for (let digits = 17; digits > 0; digits--) {
    const rounded = Number(value.toPrecision(digits));
    const written = [String(rounded), rounded.toExponential()].find(({ length }) => length <= MOST_DECIMAL);
    if (written !== undefined) return written;
  }
  throw new RangeError(`${value} has no decimal string`);
}
