import { Tag, text, type DicomJson } from '../../schema/dicom.ts';
import type { Level, Target } from './sources/source.ts';

/** Addresses in answers: always our own public base, never an archive's (DW-4). */

/** Where the archive has its objects; of no use to our callers, and not theirs to know. */
const INTERNAL = ['00080054', Tag.RetrieveURL, '0040E010', '0040E011'];

/**
 * A QIDO-RS row with our RetrieveURL (PS3.18 §10.6.3.3).
 * @param base `https://host/{tenant}/dicomweb`
 * @param studyUid from the path, where the row does not repeat it
 */
export function withRetrieveUrl(row: DicomJson, level: Level, base: string, studyUid?: string): DicomJson {
  const url = [
    base,
    'studies',
    text(row, Tag.StudyInstanceUID) ?? studyUid ?? '',
    ...(level === 'study' ? [] : ['series', text(row, Tag.SeriesInstanceUID) ?? '']),
    ...(level === 'instance' ? ['instances', text(row, Tag.SOPInstanceUID) ?? ''] : []),
  ].join('/');
  return { ...without(row), [Tag.RetrieveURL]: { vr: 'UR', Value: [url] } };
}

/** Metadata whose BulkDataURIs, relative to the instance, lead to our base. */
export function absoluteBulkData(row: DicomJson, target: Target, base: string): DicomJson {
  const instance = [
    base,
    'studies',
    target.studyUid,
    'series',
    text(row, Tag.SeriesInstanceUID) ?? target.seriesUid ?? '',
    'instances',
    text(row, Tag.SOPInstanceUID) ?? target.instanceUid ?? '',
  ].join('/');
  const visit = (dataset: DicomJson): DicomJson =>
    Object.fromEntries(
      Object.entries(dataset).map(([tag, element]) => {
        if (element.BulkDataURI !== undefined) {
          return [tag, { ...element, BulkDataURI: `${instance}/${element.BulkDataURI}` }];
        }
        if (element.vr !== 'SQ' || !element.Value) return [tag, element];
        return [tag, { ...element, Value: element.Value.map((item) => visit((item ?? {}) as DicomJson)) }];
      }),
    );
  return visit(without(row));
}

function without(row: DicomJson): DicomJson {
  const kept = { ...row };
  for (const tag of INTERNAL) delete kept[tag];
  for (const tag of Object.keys(kept)) if (kept[tag]?.BulkDataURI?.includes('://')) delete kept[tag];
  return kept;
}
