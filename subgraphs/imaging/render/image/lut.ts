import { number, type DicomElement, type DicomJson } from '../../../../schema/dicom/dicom.ts';

/** Lookup tables of DICOM: a descriptor of three values and the data, PS3.3 §C.11.1.1.1 and §C.7.6.3.1.5. */
export interface LookupTable {
  /** Stored value of the first entry. Lower values get the first entry, values above the last entry the last. */
  first: number;
  entries: Uint8Array | Uint16Array;
  /** Bits of an entry. */
  bits: number;
}

const TWO_16 = 0x1_0000;

/**
 * Reads the table of a descriptor and its data.
 * @param signed whether the values that are looked up are signed, and so the first value, too
 * @param segmented whether the data are segments, PS3.3 §C.7.9.2
 * @returns undefined if there is none, or it does not match the descriptor
 */
export function lookupTable(
  descriptor: DicomElement | undefined,
  data: DicomElement | undefined,
  signed: boolean,
  segmented = false,
): LookupTable | undefined {
  const [length, first, bits] = (descriptor?.Value ?? []).map(Number);
  if (length === undefined || first === undefined || bits === undefined || !data) return undefined;
  // Zero means 65,536, and is negative if a writer used the VR of the pixels (PS3.3 §C.11.1.1.1).
  const count = length > 0 ? length : length + TWO_16;
  if (!(count <= TWO_16)) return undefined;
  const entries = segmented ? expand(values(data, bits), bits, count) : entriesOf(data, bits, count);
  if (entries.length === 0) return undefined;
  const start = signed && first >= TWO_16 / 2 ? first - TWO_16 : first;
  return { first: start, entries: entries.subarray(0, count), bits: effectiveBits(bits, entries) };
}

/** Returns the entry of a value. */
export function lookUp({ first, entries }: LookupTable, value: number): number {
  return entries[Math.min(Math.max(Math.round(value) - first, 0), entries.length - 1)]!;
}

/** Reads the entries. Data of eight bits are packed two to a word or not, PS3.3 §C.7.6.3.1.6; their length decides. */
function entriesOf(data: DicomElement, bits: number, count: number): Uint8Array | Uint16Array {
  const bytes = binary(data);
  if (!bytes) return Uint16Array.from((data.Value ?? []) as number[]);
  return bits > 8 || bytes.length >= 2 * count ? words(bytes) : bytes;
}

function values(data: DicomElement, bits: number): Uint8Array | Uint16Array {
  const bytes = binary(data);
  if (!bytes) return Uint16Array.from((data.Value ?? []) as number[]);
  return bits > 8 ? words(bytes) : bytes;
}

/** Returns the real bits of the entries: some writers state sixteen for tables of eight. */
function effectiveBits(bits: number, entries: Uint8Array | Uint16Array): number {
  if (bits <= 8) return entries instanceof Uint16Array && entries.some((entry) => entry > 255) ? 16 : 8;
  return bits > 8 && entries.every((entry) => entry <= 255) ? 8 : bits;
}

/** Returns the inline binary data of an element. */
export function binary({ InlineBinary }: DicomElement): Uint8Array | undefined {
  return InlineBinary === undefined ? undefined : Buffer.from(InlineBinary, 'base64');
}

function words(bytes: Uint8Array): Uint16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint16Array.from({ length: bytes.length >> 1 }, (_, i) => view.getUint16(2 * i, true));
}

/**
 * Expands a segmented palette, PS3.3 §C.7.9.2: discrete segments (0), linear ones (1) from the entry before, and
 * indirect ones (2), which repeat segments at a byte offset. An invalid segment ends the table, and so do more segments
 * than a table has entries: few bytes can ask for endless repetitions.
 */
function expand(data: Uint8Array | Uint16Array, bits: number, count: number): Uint16Array {
  const table: number[] = [];
  let left = 2 * TWO_16;
  const run = (start: number, segments: number, within: boolean): void => {
    let at = start;
    for (let done = 0; done < segments && at + 1 < data.length && table.length < count; done++) {
      if (--left < 0) return;
      const [opcode, length] = [data[at]!, data[at + 1]!];
      at += 2;
      if (opcode === 0) {
        for (const value of data.subarray(at, at + length)) table.push(value);
        at += length;
      } else if (opcode === 1) {
        const from = table.at(-1) ?? 0;
        const step = ((data[at] ?? from) - from) / length;
        for (let i = 1; i <= length; i++) table.push(Math.round(from + step * i));
        at += 1;
      } else if (opcode === 2 && !within) {
        const unit = bits > 8 ? 2 : 1;
        const parts = Array.from(data.subarray(at, at + 4 / unit));
        const offset = parts.reduceRight((sum, part) => sum * (unit === 2 ? TWO_16 : 256) + part, 0);
        run(offset / unit, length, true);
        at += parts.length;
      } else return;
    }
  };
  run(0, Infinity, false);
  return Uint16Array.from(table.slice(0, count));
}

/** Red, green and blue of a palette in eight bits, PS3.3 §C.7.9. */
export type Palette = readonly [red: LookupTable, green: LookupTable, blue: LookupTable];

/** Returns the palette of a data set, plain or segmented; undefined if it has none. */
export function palette(attributes: DicomJson): Palette | undefined {
  const signed = number(attributes, '00280103') === 1;
  const [red, green, blue] = ['1', '2', '3'].map((colour) => {
    const descriptor = attributes[`0028110${colour}`];
    const table =
      lookupTable(descriptor, attributes[`0028120${colour}`], signed) ??
      lookupTable(descriptor, attributes[`0028122${colour}`], signed, true);
    return table && inEightBits(table);
  });
  return red && green && blue && [red, green, blue];
}

function inEightBits(table: LookupTable): LookupTable {
  const shift = Math.max(0, table.bits - 8);
  return { ...table, bits: 8, entries: Uint8Array.from(table.entries, (entry) => entry >> shift) };
}
