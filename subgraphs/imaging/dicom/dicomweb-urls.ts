import { Tag, text, type DicomElement, type DicomJson } from '../../../schema/dicom/dicom.ts';
import type { Level, Target } from '../facts/target.ts';

/** Addresses in answers: always our own public base, never an archive's (DW-4). */

/** Where the archive has its objects; of no use to our callers, and not theirs to know. */
const INTERNAL = new Set<string>(['00080054', Tag.RetrieveURL, '0040E010', '0040E011']);

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
  return { ...rewritten(row, () => undefined), [Tag.RetrieveURL]: { vr: 'UR', Value: [url] } };
}

/** Texts of rows as they are answered, and below which base; each goes with its row. */
const texts = new WeakMap<DicomJson, { base: string; text: string }>();

/** The JSON of the row of a study with our RetrieveURL, written once for each base. */
export function studyRowJson(row: DicomJson, base: string): string {
  const known = texts.get(row);
  if (known?.base === base) return known.text;
  const text = JSON.stringify(withRetrieveUrl(row, 'study', base));
  texts.set(row, { base, text });
  return text;
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
  return rewritten(row, (element) =>
    // A source gives relative ones; any other leads to a host that is not ours.
    element.BulkDataURI!.includes('://')
      ? undefined
      : { ...element, BulkDataURI: `${instance}/${element.BulkDataURI}` },
  );
}

/** A copy of a data set, its items included, without internal addresses. @param bulk what becomes of bulk data */
function rewritten(dataset: DicomJson, bulk: (element: DicomElement) => DicomElement | undefined): DicomJson {
  const copy: DicomJson = {};
  for (const [tag, element] of Object.entries(dataset)) {
    if (INTERNAL.has(tag)) continue;
    const { vr, Value, BulkDataURI } = element;
    const items = vr === 'SQ' && Value?.map((item) => rewritten((item ?? {}) as DicomJson, bulk));
    const kept = BulkDataURI === undefined ? element : bulk(element);
    if (kept) copy[tag] = items ? { ...kept, Value: items } : kept;
  }
  return copy;
}
