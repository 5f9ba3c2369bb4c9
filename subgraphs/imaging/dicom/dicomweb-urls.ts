import { Tag, text, type DicomElement, type DicomJson } from '../../../schema/dicom/dicom.ts';
import type { Level, Target } from '../facts/target.ts';

/** Addresses in answers: always below the gateway's public base, never an archive's (DW-4). */

/** Attributes with addresses in the archive. Callers have no use for them and must not learn them. */
const INTERNAL = new Set<string>(['00080054', Tag.RetrieveURL, '0040E010', '0040E011']);

/**
 * Returns a QIDO-RS row with the gateway's RetrieveURL (PS3.18 §10.6.3.3).
 * @param base `https://host/{tenant}/dicomweb`
 * @param studyUid from the path, when the row does not repeat it
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

/** JSON texts of rows, with the base of their addresses. A text is dropped with its row. */
const texts = new WeakMap<DicomJson, { base: string; text: string }>();

/** Returns a study row with the gateway's RetrieveURL as JSON. The text is kept for the last base. */
export function studyRowJson(row: DicomJson, base: string): string {
  const known = texts.get(row);
  if (known?.base === base) return known.text;
  const text = JSON.stringify(withRetrieveUrl(row, 'study', base));
  texts.set(row, { base, text });
  return text;
}

/** Returns metadata with BulkDataURIs below the base, from URIs relative to the instance. */
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
    // Sources give relative URIs. Any other leads to another host.
    element.BulkDataURI!.includes('://')
      ? undefined
      : { ...element, BulkDataURI: `${instance}/${element.BulkDataURI}` },
  );
}

/** Copies a data set with its items, without internal addresses. @param bulk converts or drops bulk data */
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
