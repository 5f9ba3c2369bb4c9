import { createHash } from 'node:crypto';
import { number, Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { noSuchObject } from '../../../../schema/fault/refusals.ts';
import { isOfPatient, OF_PATIENT, patientAsSaid, statedPatient } from '../../facts/of-patients.ts';
import type { StatedPatient, Target } from '../source.ts';
import type { DimseClient, Find } from './dimse-client.ts';
import { targetLevel } from './keys.ts';
import { findWithin } from './search.ts';

/** Instances of a target that the archive lists by C-FIND: a retrieval takes these, and no others (DW-26). */
export interface Plan {
  patient: StatedPatient;
  /** SOP class of each instance, by its UID. */
  instances: ReadonlyMap<string, string>;
  /** How many instances the archive says it has: no fewer than it lists. */
  count: number;
  /** Changes when the patient does, or the instances: a digest of what the archive says of both. */
  identity: string;
  /** The result of `studyAsSaid` at the same time. */
  study: string | undefined;
}

/**
 * What the archive has of the target.
 * @throws Fault `not_found`, also where it says that the study is another patient's than the target's, or several patients'
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
      patientAsSaid(study),
      rows.map((row) => [text(row, Tag.SeriesInstanceUID), text(row, Tag.SOPInstanceUID)].join('/')).sort(),
    ];
    return {
      patient: statedPatient(study),
      instances,
      count: Math.max(instances.size, await counted(find, study, target)),
      identity: createHash('sha256').update(JSON.stringify(identity)).digest('base64url'),
      study: said(study),
    };
  }, signal);
}

/**
 * The patient of the target's study and how many instances it has: one question, however large the study is.
 * @returns undefined where the archive does not count them, PS3.4 §C.3.4
 * @throws Fault `not_found` as `planOf` does
 */
export function studyAsSaid(client: DimseClient, target: Target): Promise<string | undefined> {
  return client.finding(async (find) => said(await studyOf(find, target)));
}

function said(study: DicomJson): string | undefined {
  const count = number(study, Tag.NumberOfStudyRelatedInstances);
  return count === undefined ? undefined : `${count} ${patientAsSaid(study)}`;
}

async function studyOf(find: Find, { studyUid, patient }: Target): Promise<DicomJson> {
  const tags = [...OF_PATIENT, Tag.NumberOfStudyRelatedInstances];
  const rows = await findWithin(find, { studyUid }, 'study', tags);
  const [study] = rows;
  // Two patients under one UID are one patient's to nobody (IA-24).
  if (!study || rows.length > 1) throw noSuchObject();
  if (patient && !isOfPatient(statedPatient(study), patient)) throw noSuchObject();
  return study;
}

/** Rows of the instances, asked for series by series: PS3.4 §C.4.1.2.1 wants the UIDs of all levels above. */
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
 * Instances of the target as the row of the study or of the series counts them, PS3.4 §C.3.4; 0 where it does not, and for
 * one instance.
 */
async function counted(find: Find, study: DicomJson, target: Target): Promise<number> {
  const level = targetLevel(target);
  if (level === 'study') return number(study, Tag.NumberOfStudyRelatedInstances) ?? 0;
  if (level === 'instance') return 0;
  const [series] = await findWithin(find, target, 'series', [Tag.NumberOfSeriesRelatedInstances]);
  return (series && number(series, Tag.NumberOfSeriesRelatedInstances)) ?? 0;
}
