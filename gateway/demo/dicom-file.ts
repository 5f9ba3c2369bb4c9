/** The value of a data element: text, unsigned 16-bit numbers, unchanged bytes, or the items of a sequence. */
export type DicomValue = string | number[] | Uint8Array | Element[][];

/** One data element. `tag` is 0xGGGGEEEE; `vr` is a value representation of PS3.5 §6.2. */
export interface Element {
  tag: number;
  vr: string;
  value: DicomValue;
}

/** Pixel Data: native bytes, or the items of an encapsulated stream (PS3.5 §A.4) without their delimiter. */
export interface PixelData {
  vr: 'OB' | 'OW';
  bytes: Uint8Array;
  encapsulated: boolean;
}

export const IMPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2';
export const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';

/** VRs whose explicit header has two reserved bytes and a 32-bit length (PS3.5 §7.1.2). */
const LONG_HEADER = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);

const UNDEFINED_LENGTH = 0xffffffff;
const ITEM = 0xfffee000;
const SEQUENCE_DELIMITATION = 0xfffee0dd;
const PIXEL_DATA = 0x7fe00010;

function even(bytes: Uint8Array, pad: number): Uint8Array {
  if (bytes.length % 2 === 0) return bytes;
  const padded = new Uint8Array(bytes.length + 1);
  padded.set(bytes);
  padded[bytes.length] = pad;
  return padded;
}

function tagBytes(tag: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(tag >>> 16, 0);
  bytes.writeUInt16LE(tag & 0xffff, 2);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function header(tag: number, vr: string, length: number, explicit: boolean): Buffer {
  if (!explicit) return Buffer.concat([tagBytes(tag), uint32(length)]);
  if (LONG_HEADER.has(vr)) {
    return Buffer.concat([tagBytes(tag), Buffer.from(`${vr}\0\0`, 'latin1'), uint32(length)]);
  }
  if (length > 0xffff) throw new RangeError(`${vr} value of ${length} bytes`);
  const short = Buffer.alloc(2);
  short.writeUInt16LE(length);
  return Buffer.concat([tagBytes(tag), Buffer.from(vr, 'latin1'), short]);
}

function valueBytes(vr: string, value: DicomValue, explicit: boolean): Uint8Array {
  if (typeof value === 'string') return even(Buffer.from(value, 'utf8'), vr === 'UI' ? 0 : 0x20);
  if (value instanceof Uint8Array) return even(value, /^(O.|UI|UN)$/.test(vr) ? 0 : 0x20);
  if (vr !== 'SQ') {
    const bytes = Buffer.alloc(2 * value.length);
    (value as number[]).forEach((number, index) => bytes.writeUInt16LE(number & 0xffff, 2 * index));
    return bytes;
  }
  return Buffer.concat(
    (value as Element[][]).flatMap((item) => {
      const bytes = encode(item, explicit);
      return [tagBytes(ITEM), uint32(bytes.length), bytes];
    }),
  );
}

function encode(elements: Element[], explicit: boolean): Buffer {
  const parts: Uint8Array[] = [];
  for (const { tag, vr, value } of elements.toSorted((a, b) => a.tag - b.tag)) {
    const bytes = valueBytes(vr, value, explicit);
    parts.push(header(tag, vr, bytes.length, explicit), bytes);
  }
  return Buffer.concat(parts);
}

function textOf(dataset: Element[], tag: number): string {
  const value = dataset.find((element) => element.tag === tag)?.value;
  return typeof value === 'string' ? value : Buffer.from((value ?? '') as Uint8Array).toString('latin1');
}

/**
 * Writes a DICOM file (PS3.10 §7.1) in the given transfer syntax: Implicit or Explicit VR Little Endian, or an
 * encapsulated one. The dataset needs SOP Class UID and SOP Instance UID, and may be in any order. All lengths are
 * defined, so that equal datasets give equal bytes.
 * @param pixelData undefined for an object without pixels, such as a structured report
 */
export function writeDicomFile(transferSyntaxUid: string, dataset: Element[], pixelData?: PixelData): Buffer {
  const explicit = transferSyntaxUid !== IMPLICIT_LITTLE_ENDIAN;
  const meta = encode(
    [
      { tag: 0x00020001, vr: 'OB', value: Uint8Array.of(0, 1) },
      { tag: 0x00020002, vr: 'UI', value: textOf(dataset, 0x00080016).replace(/\0+$/, '') },
      { tag: 0x00020003, vr: 'UI', value: textOf(dataset, 0x00080018) },
      { tag: 0x00020010, vr: 'UI', value: transferSyntaxUid },
      // A fixed UID, derived from a UUID (PS3.5 §B.2), identifies this writer.
      { tag: 0x00020012, vr: 'UI', value: '2.25.135830712493071684273364905519316271642' },
      { tag: 0x00020013, vr: 'SH', value: 'SIG_DEMO_1' },
    ],
    true,
  );
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM', 'latin1'),
    header(0x00020000, 'UL', 4, true),
    uint32(meta.length),
    meta,
    encode(dataset, explicit),
    ...(pixelData ? pixelParts(pixelData, explicit) : []),
  ]);
}

function pixelParts({ vr, bytes, encapsulated }: PixelData, explicit: boolean): Uint8Array[] {
  const length = encapsulated ? UNDEFINED_LENGTH : bytes.length + (bytes.length % 2);
  return [
    header(PIXEL_DATA, vr, length, explicit),
    even(bytes, 0),
    ...(encapsulated ? [tagBytes(SEQUENCE_DELIMITATION), uint32(0)] : []),
  ];
}
