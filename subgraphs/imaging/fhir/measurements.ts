import type { Observation } from 'fhir/r4.js';
import type { Fault } from '../../../schema/fault/fault.ts';
import { studyReports } from '../study/measured-reports.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import type { ParsingThreads } from '../threads/parsing-threads.ts';

/** Measurements of one study as FHIR Observations. */
export interface Measurements {
  /** In the order of the series, reports and items. */
  observations: readonly Observation[];
  /** Faults of reports and sources that could not be read, while others could. */
  failed: readonly Fault[];
}

/**
 * Returns the measurements that the structured reports of a study hold; none for a study that is unknown or out of reach.
 * @throws Fault as every retrieval
 */
export async function measurementsOfStudy(
  imaging: AuthorizedStudies,
  studyUid: string,
  threads: ParsingThreads,
): Promise<Measurements> {
  const { record } = (await imaging.find(studyUid)) ?? {};
  if (!record) return { observations: [], failed: [] };
  const { patientId, series } = record;
  const { observations, failed } = await studyReports(imaging, threads, { studyUid, series });
  const subject = patientId === undefined ? {} : { subject: { reference: `Patient/${patientId}` } };
  return {
    observations: observations.map((one) => ({ ...one, ...subject })),
    failed: [...imaging.sourceFaults, ...failed],
  };
}
