import type { DiagnosticReport } from 'fhir/r4.js';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { Clinical } from '../record/clinical.ts';
import { pageSize } from '../record/limits.ts';
import { isReportOf, patientIdOf, reportAccessionNumbers, reportStudyUids } from './imaging-links.ts';

/** Arguments of `DiagnosticReport.priors`. */
export interface PriorReportsArguments {
  modality?: readonly string[] | null;
  bodySite?: readonly string[] | null;
  _count?: number | null;
}

/**
 * Returns the reports of the earlier, comparable studies of a report's studies (FG-18), in the order of these studies,
 * newest first. They are among the reports of the same patient.
 */
export async function priorReports(
  clinical: Clinical,
  report: DiagnosticReport,
  { _count, ...args }: PriorReportsArguments,
): Promise<{ reports: DiagnosticReport[]; failed: readonly Fault[] }> {
  const most = typeof _count === 'number' ? pageSize(_count) : Infinity;
  const patientId = await patientIdOf(clinical, report);
  const images = clinical.images();
  if (patientId === undefined || !images) return { reports: [], failed: [] };
  const [accessions, uids] = await Promise.all([
    reportAccessionNumbers(clinical, report),
    reportStudyUids(clinical, report),
  ]);
  const links = { _patientId: patientId, _accessionNumbers: accessions, _studyUids: uids };
  const { priors, failed } = await images.priors(links, args);
  if (priors.length === 0) return { reports: [], failed };
  const relation = { type: 'DiagnosticReport', code: 'patient', target: 'Patient', id: patientId };
  const candidates = (await clinical.related(relation, { params: [] })) as DiagnosticReport[];
  const found = new Set<DiagnosticReport>();
  for (const prior of priors) {
    if (found.size >= most) break;
    const isOf = await Promise.all(candidates.map((one) => isReportOf(clinical, one, prior)));
    candidates.filter((one, index) => isOf[index] && one.id !== report.id).forEach((one) => found.add(one));
  }
  return { reports: [...found].slice(0, most), failed };
}
