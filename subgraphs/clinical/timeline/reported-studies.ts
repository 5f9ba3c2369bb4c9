import type { DiagnosticReport } from 'fhir/r4.js';
import { studyTest } from '../../../schema/fhir/study-match.ts';
import { linksOf } from '../joins/study-links.ts';
import type { Clinical } from '../record/clinical.ts';
import type { PatientStudy } from '../record/study-images.ts';

/**
 * The studies of reports, found among all studies of the patient by the rule of the joins (FG-9).
 */
export class ReportedStudies {
  readonly #clinical: Clinical;
  readonly #studies: readonly PatientStudy[];
  readonly #ofReport = new Map<string, readonly PatientStudy[]>();
  readonly #reported = new Set<string>();

  constructor(clinical: Clinical, studies: readonly PatientStudy[]) {
    this.#clinical = clinical;
    this.#studies = studies;
  }

  /** Looks for the studies of these reports. @throws Fault when an order of a report cannot be read */
  async add(reports: readonly DiagnosticReport[]): Promise<void> {
    if (this.#studies.length === 0) return;
    const added = reports.filter(({ id }) => !this.#ofReport.has(id ?? ''));
    const found = await Promise.all(added.map((report) => this.#studiesOf(report)));
    for (const [index, { id }] of added.entries()) {
      this.#ofReport.set(id ?? '', found[index]!);
      for (const study of found[index]!) this.#reported.add(study.id);
    }
  }

  async #studiesOf(report: DiagnosticReport): Promise<PatientStudy[]> {
    const belongs = studyTest(await linksOf(this.#clinical, report));
    return belongs ? this.#studies.filter(belongs) : [];
  }

  /** Returns the studies of a report that was added. */
  of({ id }: DiagnosticReport): readonly PatientStudy[] {
    return this.#ofReport.get(id ?? '') ?? [];
  }

  /** Returns true if one of the reports that were added has the study. */
  isReported({ id }: PatientStudy): boolean {
    return this.#reported.has(id);
  }
}
