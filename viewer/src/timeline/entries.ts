import {
  conceptName,
  present,
  type DiagnosticReport,
  type ImagingStudy,
  type PatientRecord,
} from '../graph.ts';
import { modalityName } from '../patient/plain.ts';

/** An entry of the timeline. A study and its reports are one entry. */
export interface Entry {
  kind: 'study' | 'report' | 'visit' | 'problem';
  id: string;
  /** A FHIR date or dateTime; undefined if the record has none. */
  date: string | undefined;
  title: string;
  study?: ImagingStudy;
  reports: DiagnosticReport[];
}

/** Returns the timeline entries of a record, newest first; entries without a date are last. */
export function timelineEntries(record: PatientRecord): Entry[] {
  const reports = present(record.DiagnosticReportList);
  const studies = present(record.ImagingStudyList);
  const reportsOf = (study: ImagingStudy): DiagnosticReport[] =>
    reports.filter((report) => present(report.ImagingStudyList).some(({ id }) => id === study.id));
  const shown = new Set(studies.flatMap(reportsOf));

  const entries: Entry[] = [
    ...studies.map((study): Entry => ({
      kind: 'study',
      id: study.id ?? '',
      date: study.started ?? undefined,
      title: study.description ?? studyKind(study),
      study,
      reports: reportsOf(study),
    })),
    ...reports
      .filter((report) => !shown.has(report))
      .map((report): Entry => ({
        kind: 'report',
        id: report.id ?? '',
        date: report.effectiveDateTime ?? undefined,
        title: conceptName(report.code),
        reports: [report],
      })),
    ...present(record.EncounterList).map((visit): Entry => ({
      kind: 'visit',
      id: visit.id ?? '',
      date: visit.period?.start ?? undefined,
      title: conceptName(visit.type?.[0]),
      reports: [],
    })),
    ...present(record.ConditionList).map((condition): Entry => ({
      kind: 'problem',
      id: condition.id ?? '',
      date: condition.onsetDateTime ?? undefined,
      title: conceptName(condition.code),
      reports: [],
    })),
  ];
  return entries.sort((a, b) => (b.date ?? '').localeCompare(a.date ?? ''));
}

/** Returns the modalities of a study: `MRI`, or `PET scan, CT scan` if it has several. */
export function studyKind(study: Pick<ImagingStudy, 'modality'>): string {
  return present(study.modality)
    .map(({ code }) => modalityName(code ?? ''))
    .join(', ');
}

/** Returns the text of a report: its plain-text form if it has one, otherwise its conclusion. */
export function reportText(report: DiagnosticReport): string {
  const form = present(report.presentedForm).find(({ contentType }) => contentType?.startsWith('text/plain'));
  if (!form?.data) return report.conclusion ?? '';
  const bytes = Uint8Array.from(atob(form.data), (character) => character.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}
