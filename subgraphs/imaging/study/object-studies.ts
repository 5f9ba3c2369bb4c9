import { Tag } from '../../../schema/dicom/dicom.ts';
import { uid } from '../dicom/dicom-text.ts';
import type { RecordStudy } from './record/record-study.ts';
import type { AuthorizedStudies } from './authorized-studies.ts';
import type { StudyList } from './study-records.ts';

/**
 * Finds the studies of patients that have some UIDs: of the study, of a series or of an instance, in the
 * archives or in the record. Instances are asked for only where studies and series do not have them all.
 * @param wanted UIDs by logical id of the patient
 * @returns UID → Study Instance UID, by patient; UIDs that no study in reach has are missing
 * @throws Fault like a search for the studies of these patients; a source that does not answer is one too
 */
export async function studiesOfObjects(
  imaging: AuthorizedStudies,
  wanted: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<Map<string, Map<string, string>>> {
  const patients = [...wanted.keys()];
  if (patients.length > 1) await imaging.prefetch(patients);
  const found = await Promise.all(
    [...wanted].map(async ([patientId, uids]) => {
      const ofSeries = studiesBy(uids, await studiesIn(imaging, patientId, 'series'));
      const isWhole = ofSeries.size === uids.size;
      return isWhole ? ofSeries : studiesBy(uids, await studiesIn(imaging, patientId, 'instance'));
    }),
  );
  return new Map(patients.map((id, index) => [id, found[index]!]));
}

async function studiesIn(
  imaging: AuthorizedStudies,
  patientId: string,
  detail: 'series' | 'instance',
): Promise<StudyList> {
  const list = await imaging.list(patientId, { detail, joined: true });
  if (list.failed.length > 0) throw list.failed[0]!;
  return list;
}

function studiesBy(
  uids: ReadonlySet<string>,
  { records, joined, alone = [] }: StudyList,
): Map<string, string> {
  const found = new Map<string, string>();
  const add = (studyUid: string, own: readonly (string | undefined)[]) => {
    for (const one of own) if (one !== undefined && uids.has(one)) found.set(one, studyUid);
  };
  // A series that several studies have is that of the archive.
  for (const own of alone) add(own.id, [own.uid, ...uidsOfRecord(own)]);
  for (const [studyUid, own] of joined ?? []) add(studyUid, uidsOfRecord(own));
  for (const { study, series, instances = [] } of records) {
    const studyUid = uid(study, Tag.StudyInstanceUID);
    if (studyUid === undefined) continue;
    add(studyUid, [
      studyUid,
      ...series.map((row) => uid(row, Tag.SeriesInstanceUID)),
      ...instances.map((row) => uid(row, Tag.SOPInstanceUID)),
    ]);
  }
  return found;
}

/** Returns the UIDs of series and instances that the record names (IA-34). */
function uidsOfRecord({ resource: { series = [] } }: RecordStudy): (string | undefined)[] {
  return series.flatMap(({ uid, instance = [] }) => [uid, ...instance.map((one) => one.uid)]);
}
