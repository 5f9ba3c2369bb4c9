import { createHash } from 'node:crypto';
import { number, Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { noSuchObject } from '../../../../schema/fault/refusals.ts';
import { isOfPatient, OF_PATIENT, patientFingerprint, statedPatient } from '../../facts/stated-patient.ts';
import type { StatedPatient, Target } from '../source.ts';
import type { DimseClient, Find } from './dimse-client.ts';
import { targetLevel } from './keys.ts';
import { findWithin } from './search.ts';

/** Instances of a target that the archive lists by C-FIND. A retrieval accepts no others (DW-26). */
export interface Plan {
  patient: StatedPatient;
  /** SOP class of each instance, by its UID. */
  instances: ReadonlyMap<string, string>;
  /** Number of instances that the archive gives, at least as many as it lists. */
  count: number;
  /** Digest of the patient and the instances, as the archive gives them. */
  identity: string;
  /** The result of `studyAsSaid` at the same time. */
  study: string | undefined;
}

/**
 * Asks the archive for the instances of the target.
 * @throws Fault `not_found`, also when the study belongs to another patient than the target, or to several
 */
export function planOf(client: DimseClient, target: Target, signal: AbortSignal | undefined): Promise<Plan> {
  return client.finding(async (find) => {
    const study = await studyOf(find, target);
    const rows = await instancesOf(find, target);
    const instances = new Map(
      rows.map((row) => [text(row, Tag.SOPInstanceUID)!, text(row, Tag.SOPClassUID) ?? '']),
    );
    if (instances.size === 0) throw noSuchObject();
    const identity = [
      patientFingerprint(study),
      rows.map((row) => [text(row, Tag.SeriesInstanceUID), text(row, Tag.SOPInstanceUID)].join('/')).sort(),
    ];
    return {
      patient: statedPatient(study),
      instances,
      count: Math.max(instances.size, await counted(find, study, target)),
      identity: createHash('sha256').update(JSON.stringify(identity)).digest('base64url'),
      study: factsOf(study),
    };
  }, signal);
}

/**
 * Asks for the patient of the target's study and its number of instances: one question for a study of any size.
 * @returns undefined when the archive does not count instances, PS3.4 §C.3.4
 * @throws Fault `not_found` as `planOf`
 */
export function studyAsSaid(client: DimseClient, target: Target): Promise<string | undefined> {
  return client.finding(async (find) => factsOf(await studyOf(find, target)));
}

function factsOf(study: DicomJson): string | undefined {
  const count = number(study, Tag.NumberOfStudyRelatedInstances);
  return count === undefined ? undefined : `${count} ${patientFingerprint(study)}`;
}

async function studyOf(find: Find, { studyUid, patient }: Target): Promise<DicomJson> {
  const tags = [...OF_PATIENT, Tag.NumberOfStudyRelatedInstances];
  const rows = await findWithin(find, { studyUid }, 'study', tags);
  const [study] = rows;
  // A study of two patients belongs to neither (IA-24).
  if (!study || rows.length > 1) throw noSuchObject();
  if (patient && !isOfPatient(statedPatient(study), patient)) throw noSuchObject();
  return study;
}

/** Finds the rows of instances series by series, because PS3.4 §C.4.1.2.1 requires the UIDs of all higher levels. */
async function instancesOf(find: Find, target: Target): Promise<DicomJson[]> {
  const { studyUid, seriesUid } = target;
  const series =
    seriesUid === undefined
      ? (await findWithin(find, { studyUid }, 'series', [Tag.SeriesInstanceUID])).map((row) =>
          text(row, Tag.SeriesInstanceUID)!,
        )
      : [seriesUid];
  const rows: DicomJson[] = [];
  for (const uid of series) {
    const within = { ...target, seriesUid: uid };
    for (const row of await findWithin(find, within, 'instance', [Tag.SOPInstanceUID, Tag.SOPClassUID]))
      rows.push(row);
  }
  return rows;
}

/**
 * Returns the number of instances of the target from the row of its study or series, PS3.4 §C.3.4; 0 without a number,
 * and for one instance.
 */
async function counted(find: Find, study: DicomJson, target: Target): Promise<number> {
  const level = targetLevel(target);
  if (level === 'study') return number(study, Tag.NumberOfStudyRelatedInstances) ?? 0;
  if (level === 'instance') return 0;
  const [series] = await findWithin(find, target, 'series', [Tag.NumberOfSeriesRelatedInstances]);
  return (series && number(series, Tag.NumberOfSeriesRelatedInstances)) ?? 0;
}
