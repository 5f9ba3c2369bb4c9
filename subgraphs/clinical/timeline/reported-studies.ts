import type { DiagnosticReport } from 'fhir/r4.js';
import { reportAccessionNumbers, reportStudyUids } from '../joins/imaging-links.ts';
import type { Clinical } from '../record/clinical.ts';
import type { PatientStudy } from '../record/patient-studies.ts';

/**
 * The studies of reports (FG-9), found among all studies of the patient: by Study Instance UID, by reference or by
 * accession number.
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
    const [uids, numbers] = await Promise.all([
      reportStudyUids(this.#clinical, report),
      reportAccessionNumbers(this.#clinical, report),
    ]);
    return this.#studies.filter(
      ({ id, accessionNumbers }) =>
        uids.includes(id) || accessionNumbers.some((number) => numbers.includes(number)),
    );
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
