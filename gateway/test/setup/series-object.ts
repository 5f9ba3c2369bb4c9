import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile } from '../../demo/dicom-file.ts';

/** An image of 8-bit pixels. */
export interface ImageSize {
  rows: number;
  columns: number;
  /** Where the object says it. */
  frames?: number;
}

/** A Part 10 file: the instance `{studyUid}.1.{number}` of the series `{studyUid}.1`. Without an image it has no pixels. */
export function seriesObject(studyUid: string, number: number, image?: ImageSize): Buffer {
  const { rows = 0, columns = 0, frames } = image ?? {};
  return writeDicomFile(
    EXPLICIT_LITTLE_ENDIAN,
    [
      { tag: 0x00080016, vr: 'UI', value: '1.2.840.10008.5.1.4.1.1.7' },
      { tag: 0x00080018, vr: 'UI', value: `${studyUid}.1.${number}` },
      { tag: 0x00080060, vr: 'CS', value: 'OT' },
      { tag: 0x00100020, vr: 'LO', value: 'MRN' },
      { tag: 0x00180015, vr: 'CS', value: 'KNEE' },
      { tag: 0x0020000d, vr: 'UI', value: studyUid },
      { tag: 0x0020000e, vr: 'UI', value: `${studyUid}.1` },
      { tag: 0x00200013, vr: 'IS', value: String(number) },
      ...(frames === undefined ? [] : [{ tag: 0x00280008, vr: 'IS', value: String(frames) }]),
      ...(image
        ? [
            { tag: 0x00280010, vr: 'US', value: [rows] },
            { tag: 0x00280011, vr: 'US', value: [columns] },
          ]
        : []),
    ],
    { vr: 'OB', bytes: Buffer.alloc(rows * columns * (frames ?? 1)), encapsulated: false },
  );
}
