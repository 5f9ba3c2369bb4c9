import type { DicomJson } from '../../schema/dicom.ts';
import type { ImagingSource, Target } from './sources/source.ts';
import { Tag, text } from '../../schema/dicom.ts';

/** Palette Color Lookup Table Data, red, green and blue (PS3.3 §C.7.6.3.1.6). */
export const PALETTES: readonly string[] = ['00281201', '00281202', '00281203'];

/** Bytes of the longest: 65,536 entries of 16 bits. */
const MAX_PALETTE = 2 * 65_536;

/**
 * Puts palettes that are bulk data into the metadata itself: viewers look for them there (DW-6). What is longer than any
 * palette stays bulk data.
 * Changes the rows.
 */
export async function inlinePalettes(
  rows: readonly DicomJson[],
  { studyUid, seriesUid }: Target,
  source: ImagingSource,
): Promise<void> {
  for (const row of rows) {
    const target = {
      studyUid,
      seriesUid: text(row, Tag.SeriesInstanceUID) ?? seriesUid ?? '',
      instanceUid: text(row, Tag.SOPInstanceUID) ?? '',
    };
    for (const tag of PALETTES) {
      const { vr, BulkDataURI } = row[tag] ?? {};
      if (vr === undefined || BulkDataURI === undefined) continue;
      const bulk = await source.bulkdata(target, BulkDataURI);
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of bulk.open() as AsyncIterable<Uint8Array>) {
        chunks.push(chunk);
        if ((length += chunk.length) > MAX_PALETTE) break;
      }
      if (length > MAX_PALETTE) continue;
      row[tag] = { vr, InlineBinary: Buffer.concat(chunks).toString('base64') };
    }
  }
}
