import { writeDicomFile } from '../../demo/dicom-file.ts';
import type { PixelDescription } from '../../../subgraphs/imaging/dicom/pixel-description.ts';

/** An image of 4 × 4 bytes. */
export const SMALL: PixelDescription = {
  rows: 4,
  columns: 4,
  samplesPerPixel: 1,
  bitsAllocated: 8,
  bitsStored: 8,
  highBit: 7,
  pixelRepresentation: 0,
  planarConfiguration: 0,
  photometricInterpretation: 'MONOCHROME2',
  numberOfFrames: 1,
};

/** What kind of object it is; a secondary capture by default. */
interface ObjectKind {
  sopClass: string;
  modality: string;
}

const SECONDARY_CAPTURE: ObjectKind = { sopClass: '1.2.840.10008.5.1.4.1.1.7', modality: 'OT' };

/**
 * Writes a Part 10 file of the instance `{studyUid}.1.1` with the given description, whether or not its pixels agree.
 * @param pixels native bytes, or the fragments of an encapsulated stream, the Basic Offset Table first
 */
export function imageObject(
  studyUid: string,
  transferSyntax: string,
  described: PixelDescription & { kind?: ObjectKind },
  pixels: Uint8Array | readonly Uint8Array[],
): Buffer {
  const { sopClass, modality } = described.kind ?? SECONDARY_CAPTURE;
  const us = (tag: number, value: number) => ({ tag, vr: 'US', value: [value] });
  const fragments = pixels instanceof Uint8Array ? undefined : pixels;
  return writeDicomFile(
    transferSyntax,
    [
      { tag: 0x00080016, vr: 'UI', value: sopClass },
      { tag: 0x00080018, vr: 'UI', value: `${studyUid}.1.1` },
      { tag: 0x00080060, vr: 'CS', value: modality },
      { tag: 0x00100020, vr: 'LO', value: 'BAD' },
      { tag: 0x0020000d, vr: 'UI', value: studyUid },
      { tag: 0x0020000e, vr: 'UI', value: `${studyUid}.1` },
      { tag: 0x00280004, vr: 'CS', value: described.photometricInterpretation },
      { tag: 0x00280008, vr: 'IS', value: String(described.numberOfFrames) },
      us(0x00280002, described.samplesPerPixel),
      us(0x00280010, described.rows),
      us(0x00280011, described.columns),
      us(0x00280100, described.bitsAllocated),
      us(0x00280101, described.bitsStored),
      us(0x00280102, described.highBit),
      us(0x00280103, described.pixelRepresentation),
    ],
    {
      vr: described.bitsAllocated > 8 && !fragments ? 'OW' : 'OB',
      bytes: fragments ? Buffer.concat(fragments.flatMap(item)) : (pixels as Uint8Array),
      encapsulated: fragments !== undefined,
    },
  );
}

/** Encodes a fragment as an item (PS3.5 §A.4). */
function item(fragment: Uint8Array): Uint8Array[] {
  const even = fragment.length % 2 ? Buffer.concat([fragment, Buffer.alloc(1)]) : fragment;
  const header = Buffer.from('feff00e000000000', 'hex');
  header.writeUInt32LE(even.length, 4);
  return [header, even];
}
