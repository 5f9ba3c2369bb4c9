import { Tag, type DicomElement, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { isUsOrSs } from '../../../../schema/dicom/dictionary.ts';
import { NUMERIC_VALUE, textWithZeros } from '../numeric-value.ts';
import { Budget } from './budget.ts';
import { DamagedFile, type Bytes } from './bytes.ts';
import { textDecoder } from './charset.ts';
import { isPixelData, type Element, type Encoding } from './dataset.ts';
import {
  binaryNumbers,
  decimal,
  littleEndianValue,
  personName,
  textValues,
  UNIT,
  type Decode,
} from './values.ts';

/** Bytes of Specific Character Set (0008,0005). All defined terms of PS3.3 §C.12.1.1.2 together have fewer. */
const MAX_CHARACTER_SET = 1024;
/** Bytes of a binary value that is still inline in JSON (DW-6). */
const MAX_INLINE = 1024;
/** Bytes of an inline palette: 65,536 entries of 16 bits. Viewers expect palettes in the metadata. */
export const MAX_PALETTE = 2 * 65_536;
/** Palette Color Lookup Table Data, red, green and blue (PS3.3 §C.7.6.3.1.6). */
export const PALETTES: readonly string[] = ['00281201', '00281202', '00281203'];
const BACKSLASH = 0x5c;
const BULK = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'UN']);

/** State that an item inherits from the data set around it. */
interface Context {
  bytes: Bytes;
  decode: Decode;
  signed: boolean;
  budget: Budget;
  /** Relative URI of the bulk data of these elements, `bulkdata/…/`. */
  path: string;
}

/**
 * Converts a data set to the DICOM JSON model, PS3.18 Annex F: text in UTF-8, numbers as numbers. Binary values over
 * 1 KiB and all pixel data become a BulkDataURI: `bulkdata/{tag}`, within sequences
 * `bulkdata/{sequence}/{item from 0}/{tag}`.
 * @param budget the one used for reading, so that values count with the elements
 * @throws OverBudget, and DamagedFile for a Specific Character Set that is too long
 */
export function dicomJson(
  bytes: Bytes,
  elements: readonly Element[],
  encoding: Encoding,
  budget = new Budget(),
): DicomJson {
  const context = { bytes, decode: textDecoder([]), signed: false, budget, path: 'bulkdata/' };
  return convert(elements, encoding, context);
}

function convert(elements: readonly Element[], encoding: Encoding, outer: Context): DicomJson {
  const context = itemContext(elements, encoding, outer);
  const json: DicomJson = {};
  for (const element of elements) {
    // PS3.18 §F.2.2: no group lengths. Padding (FFFC,FFFC) has no meaning outside a file.
    if (element.tag.endsWith('0000') || element.tag === 'FFFCFFFC') continue;
    json[element.tag] = attribute(element, encoding, context);
  }
  if (json[Tag.SpecificCharacterSet]) json[Tag.SpecificCharacterSet] = { vr: 'CS', Value: ['ISO_IR 192'] };
  return json;
}

function itemContext(elements: readonly Element[], encoding: Encoding, outer: Context): Context {
  const context = { ...outer };
  for (const element of elements) {
    if (element.tag === Tag.SpecificCharacterSet) {
      // Limited here, because it is read before the values are counted.
      if (element.length > MAX_CHARACTER_SET) throw new DamagedFile('Specific Character Set is too long.');
      context.decode = textDecoder(
        textValues('CS', outer.bytes.slice(element.offset, element.length), outer.decode),
      );
    }
    if (element.tag === '00280103' && element.length === 2) {
      context.signed = littleEndianValue(outer.bytes, { ...element, vr: 'US' }, encoding)[0] === 1;
    }
  }
  return context;
}

function attribute(element: Element, encoding: Encoding, context: Context): DicomElement {
  const { tag, items } = element;
  const vr = !encoding.explicitVr && context.signed && isUsOrSs(tag) ? 'SS' : element.vr;
  if (vr === 'SQ') {
    const path = (item: number): string => `${context.path}${tag}/${item}/`;
    const Value = (items ?? []).map((item, i) =>
      convert(item.elements, item.encoding, { ...context, path: path(i) }),
    );
    return Value.length > 0 ? { vr, Value } : { vr };
  }
  const most = PALETTES.includes(tag) ? MAX_PALETTE : MAX_INLINE;
  const bulk = element.fragments !== undefined || element.length > most || isPixelData(tag);
  if (BULK.has(vr) && bulk && element.length > 0) return { vr, BulkDataURI: context.path + tag };
  context.budget.countText(element.length);
  if (BULK.has(vr)) return binary(element, encoding, context);
  const value = context.bytes.slice(element.offset, element.length);
  countValues(vr, value, context.budget);
  const Value = values({ tag, vr }, value, encoding, context);
  return Value.length > 0 ? { vr, Value } : { vr };
}

/** Counts values before they are converted: for text, by its backslashes (PS3.5 §6.2). */
function countValues(vr: string, bytes: Buffer, budget: Budget): void {
  const unit = vr === 'AT' ? 4 : UNIT[vr];
  if (unit) return budget.count(Math.floor(bytes.length / unit));
  budget.count(bytes.length > 0 ? 1 : 0);
  for (let at = bytes.indexOf(BACKSLASH); at >= 0; at = bytes.indexOf(BACKSLASH, at + 1)) budget.count();
}

function binary(element: Element, encoding: Encoding, { bytes }: Context): DicomElement {
  if (element.length === 0) return { vr: element.vr };
  return { vr: element.vr, InlineBinary: littleEndianValue(bytes, element, encoding).toString('base64') };
}

function values(
  { tag, vr }: { tag: string; vr: string },
  bytes: Buffer,
  { littleEndian }: Encoding,
  { decode }: Context,
): unknown[] {
  if (vr === 'AT') {
    const words = binaryNumbers('US', bytes, littleEndian) as number[];
    const hex = words.map((word) => word.toString(16).padStart(4, '0').toUpperCase());
    return Array.from({ length: hex.length >> 1 }, (_, i) => hex[2 * i]! + hex[2 * i + 1]!);
  }
  if (UNIT[vr]) return binaryNumbers(vr, bytes, littleEndian);
  const texts = textValues(vr, bytes, decode);
  if (vr === 'PN')
    return texts.map((text) => personName(text) ?? null).filter((name, _, all) => name || all.length > 1);
  if (tag === NUMERIC_VALUE) return texts.map((text) => textWithZeros(text) ?? decimal(text));
  if (vr === 'DS' || vr === 'IS') return texts.map(decimal);
  return texts.map((text) => (text === '' ? null : text)).filter((text, _, all) => text || all.length > 1);
}
