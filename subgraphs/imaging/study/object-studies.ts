import { Tag } from '../../../schema/dicom/dicom.ts';
import { uid } from '../dicom/dicom-text.ts';
import type { Imaging, StudyRecord } from './studies.ts';

/**
 * Finds the studies of patients that have some UIDs: of the study, of a series or of an instance. Instances are asked for
 * only where studies and series do not have them all.
 * @param wanted UIDs by logical id of the patient
 * @returns UID → Study Instance UID, by patient; UIDs that no study in reach has are missing
 * @throws Fault like a search for the studies of these patients; a source that does not answer is one too
 */
export async function studiesOfObjects(
  imaging: Imaging,
  wanted: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<Map<string, Map<string, string>>> {
  const patients = [...wanted.keys()];
  if (patients.length > 1) await imaging.prefetch(patients);
  const found = await Promise.all(
    [...wanted].map(async ([patientId, uids]) => {
      const ofSeries = studiesBy(uids, await recordsOf(imaging, patientId, 'series'));
      const isWhole = ofSeries.size === uids.size;
      return isWhole ? ofSeries : studiesBy(uids, await recordsOf(imaging, patientId, 'instance'));
    }),
  );
  return new Map(patients.map((id, index) => [id, found[index]!]));
}

async function recordsOf(
  imaging: Imaging,
  patientId: string,
  detail: 'series' | 'instance',
): Promise<readonly StudyRecord[]> {
  const { records, failed } = await imaging.studiesOf(patientId, { detail });
  if (failed.length > 0) throw failed[0]!;
  return records;
}

function studiesBy(uids: ReadonlySet<string>, records: readonly StudyRecord[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { study, series, instances = [] } of records) {
    const studyUid = uid(study, Tag.StudyInstanceUID);
    const own = [
      studyUid,
      ...series.map((row) => uid(row, Tag.SeriesInstanceUID)),
      ...instances.map((row) => uid(row, Tag.SOPInstanceUID)),
    ];
    if (studyUid === undefined) continue;
    for (const one of own) if (one !== undefined && uids.has(one)) found.set(one, studyUid);
  }
  return found;
}
