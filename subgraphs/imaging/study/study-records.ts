import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Rows } from '../cache/study-cache.ts';
import { WeakCache } from '../facts/weak-cache.ts';
import type { StudyRecord } from './studies.ts';
import { byStudy, compareNewestFirst } from '../facts/study-rows.ts';

/** Rows of some studies by level; instances only if they were asked for. */
export interface RowsByLevel {
  studies: Rows;
  series: Rows;
  instances: Rows | undefined;
}

/** Logical id of a patient; undefined when the record knows none, a Fault when it did not answer. */
export type Owner = string | Fault | undefined;

interface Kept extends Omit<RowsByLevel, 'studies'> {
  owner: Owner;
  records: readonly StudyRecord[];
}

/** Records of one owner, keyed by the study rows, so that they are freed with the lists they were made from. */
const withInstances = new WeakCache<Rows, Kept>();
const withoutInstances = new WeakMap<Rows, Kept>();

/**
 * Makes records of rows, newest first. For one owner it returns the same frozen list for the same lists of rows.
 * @param owners logical id of the patient whose studies all of them are, or of each in the order of the rows
 */
export function studyRecords(rows: RowsByLevel, owners: string | readonly Owner[]): readonly StudyRecord[] {
  const { studies, series, instances } = rows;
  const kept = instances ? withInstances : withoutInstances;
  const known = kept.get(studies);
  if (known?.owner === owners && known.series === series && known.instances === instances)
    return known.records;
  const seriesOf = byStudy(series);
  const instancesOf = instances && byStudy(instances);
  const records = studies.map((study, index) => {
    const uid = text(study, Tag.StudyInstanceUID) ?? '';
    const owner = typeof owners === 'string' ? owners : owners[index];
    return studyRecord(owner, study, seriesOf.get(uid) ?? [], instancesOf && (instancesOf.get(uid) ?? []));
  });
  records.sort(compareNewestFirst);
  if (typeof owners === 'string')
    kept.set(
      studies,
      { series, instances, owner: owners, records: Object.freeze(records) },
      instances?.length ?? 0,
    );
  return records;
}

/** Makes the record of one study; frozen, because it may be shared. */
export function studyRecord(
  owner: Owner,
  study: DicomJson,
  series: Rows,
  instances: Rows | undefined,
): StudyRecord {
  return Object.freeze({
    study,
    series,
    ...(owner instanceof Fault ? { patientFault: owner } : owner !== undefined && { patientId: owner }),
    ...(instances && { instances }),
  });
}
