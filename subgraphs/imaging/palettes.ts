import type { DicomJson } from '../../schema/dicom.ts';
import type { ImagingSource, Target } from './sources/source.ts';
import { Tag, text } from '../../schema/dicom.ts';

/** Palette Color Lookup Table Data, red, green and blue (PS3.3 §C.7.6.3.1.6). */
export const PALETTES: readonly string[] = ['00281201', '00281202', '00281203'];

/**
 * Puts palettes that are bulk data into the metadata itself, whatever their length: viewers look for them there (DW-6).
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
      const bytes = Buffer.concat(await bulk.open().toArray());
      row[tag] = { vr, InlineBinary: bytes.toString('base64') };
    }
  }
}
