import dicomParser, { type DataSet } from 'dicom-parser';
import {
  EXPLICIT_LITTLE_ENDIAN,
  IMPLICIT_LITTLE_ENDIAN,
  writeDicomFile,
  type Element,
  type PixelData,
} from './dicom-file.ts';
import { KEPT_ATTRIBUTES } from './kept-attributes.ts';

/** Matches transfer syntaxes with encapsulated pixels; all are Explicit VR Little Endian outside the pixels. */
const ENCAPSULATED = /^1\.2\.840\.10008\.1\.2\.(4\.\d+|5)$/;

const IMAGE_POSITION = 0x00200032;
/** Frame of Reference UID, Position Reference Indicator. */
const FRAME_OF_REFERENCE: ReadonlySet<number> = new Set([0x00200052, 0x00201040]);

function keptElements(dataset: DataSet): Element[] {
  return Object.values(dataset.elements).flatMap((element): Element[] => {
    const tag = parseInt(element.tag.slice(1), 16);
    const vr = KEPT_ATTRIBUTES.get(tag);
    if (!vr) return [];
    if (vr === 'SQ') {
      const items = (element.items ?? []).map((item) => (item.dataSet ? keptElements(item.dataSet) : []));
      return [{ tag, vr, value: items }];
    }
    return [
      { tag, vr, value: dataset.byteArray.subarray(element.dataOffset, element.dataOffset + element.length) },
    ];
  });
}

/** Returns the offset after the last item of an encapsulated stream (PS3.5 Table A.4-1). */
function endOfItems(bytes: Uint8Array, start: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = start;
  while (offset + 8 <= bytes.length && view.getUint16(offset, true) === 0xfffe) {
    if (view.getUint16(offset + 2, true) !== 0xe000) break;
    offset += 8 + view.getUint32(offset + 4, true);
  }
  return offset;
}

/** Reads the transfer syntax, the attributes that may stay, and the unchanged pixels of a source file. */
export function readSource(bytes: Uint8Array): {
  transferSyntaxUid: string;
  kept: Element[];
  pixelData: PixelData;
} {
  // Stopping at Pixel Data also skips 2.5 MB of zeros, which one source has after it.
  const dataset = dicomParser.parseDicom(bytes, { untilTag: 'x7fe00010' });
  const transferSyntaxUid = dataset.string('x00020010') ?? '';
  const encapsulated = ENCAPSULATED.test(transferSyntaxUid);
  if (
    !encapsulated &&
    transferSyntaxUid !== EXPLICIT_LITTLE_ENDIAN &&
    transferSyntaxUid !== IMPLICIT_LITTLE_ENDIAN
  ) {
    throw new Error(`transfer syntax ${transferSyntaxUid} cannot be taken over byte for byte`);
  }
  const pixels = dataset.elements['x7fe00010'];
  if (!pixels) throw new Error('no Pixel Data');
  const end = encapsulated ? endOfItems(bytes, pixels.dataOffset) : pixels.dataOffset + pixels.length;
  return {
    transferSyntaxUid,
    kept: keptElements(dataset),
    pixelData: {
      vr: pixels.vr === 'OB' ? 'OB' : 'OW',
      bytes: bytes.subarray(pixels.dataOffset, end),
      encapsulated,
    },
  };
}

/**
 * Gives a source file another identity. Only the attributes of `kept-attributes.ts` stay; all others come from `story`.
 * The pixels are unchanged, in their transfer syntax. It follows PS3.15 Annex E (basic profile, with fictional
 * identities).
 */
export function reidentify(source: Uint8Array, story: readonly Element[]): Buffer {
  const { transferSyntaxUid, kept, pixelData } = readSource(source);
  // An image without a position has no frame of reference either.
  const hasPosition = kept.some(({ tag }) => tag === IMAGE_POSITION);
  const added = story.filter(({ tag }) => hasPosition || !FRAME_OF_REFERENCE.has(tag));
  const tags = new Set(added.map((element) => element.tag));
  return writeDicomFile(
    transferSyntaxUid,
    [...kept.filter(({ tag }) => !tags.has(tag)), ...added],
    pixelData,
  );
}
