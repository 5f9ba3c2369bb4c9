import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { string, uid, unsignedInt } from '../dicom/dicom-text.ts';
import { MAX_REPORT_BYTES, type SeriesReports } from '../measurements/report-task.ts';
import type { ParsingThreads } from '../threads/parsing-threads.ts';
import type { AuthorizedStudies } from './authorized-studies.ts';

/** Structured reports of one study that are read. */
const MAX_REPORTS = 100;

/** The contents of the structured reports of a study, and the reasons why some could not be read. */
export interface StudyReports extends Omit<SeriesReports, 'refused'> {
  failed: readonly Fault[];
}

/**
 * Reads the structured reports of a study: the metadata of its series of modality SR, as any other retrieval of metadata
 * (authorized, audited, and cached by the version of the study). A series that cannot be read does not hide the others.
 * @param series series-level rows of the study
 */
export async function studyReports(
  imaging: Pick<AuthorizedStudies, 'read'>,
  threads: ParsingThreads,
  { studyUid, series }: { studyUid: string; series: readonly DicomJson[] },
): Promise<StudyReports> {
  const found: StudyReports & { failed: Fault[] } = { observations: [], doses: [], failed: [] };
  let left = MAX_REPORTS;
  for (const row of series) {
    const seriesUid = uid(row, Tag.SeriesInstanceUID);
    if (seriesUid === undefined || string(row, Tag.Modality) !== 'SR') continue;
    try {
      left -= unsignedInt(row, Tag.NumberOfSeriesRelatedInstances) ?? 1;
      if (left < 0) throw tooLarge(`more than ${MAX_REPORTS} structured reports`);
      const reports = await seriesReports(imaging, threads, { studyUid, seriesUid });
      found.observations.push(...reports.observations);
      found.doses.push(...reports.doses);
      found.failed.push(...reports.refused.map((message) => new Fault('too_large', message, IMAGING)));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      found.failed.push(error);
    }
  }
  return found;
}

/**
 * Returns the measurements that the structured reports of a study hold; none for a study that is unknown or out of reach.
 * @throws Fault as every retrieval
 */
export async function measurementsOfStudy(
  imaging: AuthorizedStudies,
  studyUid: string,
  threads: ParsingThreads,
): Promise<Pick<StudyReports, 'observations' | 'failed'>> {
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

const IMAGING = { service: 'imaging' } as const;

async function seriesReports(
  imaging: Pick<AuthorizedStudies, 'read'>,
  threads: ParsingThreads,
  target: { studyUid: string; seriesUid: string },
): Promise<SeriesReports> {
  const metadata = await imaging.read(target, 'metadata', (study) => study.encodedMetadata(target));
  const json = await metadata.encoded('', 'identity');
  if (json.length > MAX_REPORT_BYTES)
    throw tooLarge(`structured reports of more than ${MAX_REPORT_BYTES / 2 ** 20} MB`);
  // A copy, because its buffer is transferred to the thread, and the answer is kept for other callers.
  return threads.run('structuredReports', () => ({ json: new Uint8Array(json) }));
}

function tooLarge(what: string): Fault {
  const message = `The study has ${what}, which are not read as measurements. Retrieve them with DICOMweb.`;
  return new Fault('too_large', message, IMAGING);
}
