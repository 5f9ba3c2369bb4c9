import type { DiagnosticReport } from 'fhir/r4.js';
import type { Fault } from '../../../schema/fault/fault.ts';
import { requirePageSize } from '../../../schema/fhir/search/paging.ts';
import { studyTest } from '../../../schema/fhir/study-match.ts';
import type { Clinical } from '../record/clinical.ts';
import { linksOf } from './study-links.ts';

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
): Promise<{ list: DiagnosticReport[]; failed: readonly Fault[] }> {
  const most = _count ?? Infinity;
  if (most < Infinity) requirePageSize('DiagnosticReport', most);
  const images = clinical.images();
  if (!images) return { list: [], failed: [] };
  const links = await linksOf(clinical, report);
  const { _patientId: patientId } = links;
  if (!patientId) return { list: [], failed: [] };
  const { priors, failed } = await images.priors(links, args);
  if (priors.length === 0) return { list: [], failed };
  const relation = { type: 'DiagnosticReport', code: 'patient', target: 'Patient', id: patientId };
  const candidates = (await clinical.related(relation, { params: [] })) as DiagnosticReport[];
  const tests = await Promise.all(candidates.map(async (one) => studyTest(await linksOf(clinical, one))));
  const found = new Set<DiagnosticReport>();
  for (const prior of priors) {
    if (found.size >= most) break;
    candidates
      .filter((one, index) => tests[index]?.(prior) && one.id !== report.id)
      .forEach((one) => found.add(one));
  }
  return { list: [...found].slice(0, most), failed };
}
