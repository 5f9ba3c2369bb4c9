import { Tag, texts, UID, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { statedIdentifier } from '../facts/identifiers.ts';
import type { Level } from './source.ts';

/** UIDs that together name an object of each level, PS3.4 §C.6.2.1. */
const UIDS: Record<Level, readonly string[]> = {
  study: [Tag.StudyInstanceUID],
  series: [Tag.StudyInstanceUID, Tag.SeriesInstanceUID],
  instance: [Tag.StudyInstanceUID, Tag.SeriesInstanceUID, Tag.SOPInstanceUID],
};

/**
 * Accepts each object of one answer of an archive once, and only with well-formed UIDs. Objects with other UIDs could
 * not be retrieved, or would match objects of other patients (DW-21). Rows of two patients with the same UID are both
 * accepted, so that authorization finds two patients in the study (IA-24).
 * @param level of the rows
 * @returns a filter to call for each row, in the order of the answer
 */
export function distinctRows(level: Level): (row: DicomJson) => boolean {
  const seen = new Set<string>();
  return (row) => {
    const uids = UIDS[level].map((tag) => texts(row, tag).join('\\'));
    if (!uids.every((uid) => UID.test(uid))) return false;
    const patient = [Tag.PatientID, Tag.IssuerOfPatientID].map((tag) => statedIdentifier(row, tag));
    const object = [...uids, ...patient].join('\n');
    if (seen.has(object)) return false;
    seen.add(object);
    return true;
  };
}
