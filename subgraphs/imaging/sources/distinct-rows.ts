import { Tag, texts, UID, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { shownIdentifier } from '../facts/identifiers.ts';
import type { Level } from './source.ts';

/** UIDs that together name an object of each level, PS3.4 §C.6.2.1. */
const UIDS: Record<Level, readonly string[]> = {
  study: [Tag.StudyInstanceUID],
  series: [Tag.StudyInstanceUID, Tag.SeriesInstanceUID],
  instance: [Tag.StudyInstanceUID, Tag.SeriesInstanceUID, Tag.SOPInstanceUID],
};

/**
 * Accepts each object of one answer of an archive once, and only under well-formed UIDs: others could not be retrieved, or
 * would match the objects of others (DW-21). Rows of two patients under one UID both count: whoever judges a study must
 * see that it has two (IA-24).
 * @param level of the rows
 * @returns tells of each row, in the order of the answer, whether it counts
 */
export function distinctRows(level: Level): (row: DicomJson) => boolean {
  const seen = new Set<string>();
  return (row) => {
    const uids = UIDS[level].map((tag) => texts(row, tag).join('\\'));
    if (!uids.every((uid) => UID.test(uid))) return false;
    const patient = [Tag.PatientID, Tag.IssuerOfPatientID].map((tag) => shownIdentifier(row, tag));
    const object = [...uids, ...patient].join('\n');
    if (seen.has(object)) return false;
    seen.add(object);
    return true;
  };
}
