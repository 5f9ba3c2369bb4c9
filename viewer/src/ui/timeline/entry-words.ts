import type { EntryKind, PatientRecord, TimelineEntry } from '../../domain/record.ts';
import type { Study } from '../../domain/study.ts';
import { dayOf } from '../../messages/dates.ts';
import { m } from '../../messages/compiled/messages.js';
import { modalityNames, type Wording } from '../../messages/modalities.ts';

const KINDS: Record<EntryKind, () => string> = {
  study: m.kindStudy,
  report: m.kindReport,
  encounter: m.kindEncounter,
  problem: m.kindProblem,
  procedure: m.kindProcedure,
  medication: m.kindMedication,
  immunization: m.kindImmunization,
  document: m.kindDocument,
  laboratory: m.kindLaboratory,
  'vital-signs': m.kindVitalSigns,
};

/** Returns what an entry is: `MRI` for a study, otherwise its kind. */
export function kindWords(kind: EntryKind, studies: readonly Study[], wording: Wording): string {
  const modalities = modalityNames(
    studies.flatMap((study) => study.modalities),
    wording,
  );
  return modalities || KINDS[kind]();
}

const STATUS: Record<string, () => string> = {
  final: m.statusFinal,
  preliminary: m.statusPreliminary,
  amended: m.statusAmended,
  corrected: m.statusCorrected,
  registered: m.statusRegistered,
  cancelled: m.statusCancelled,
  partial: m.statusPartial,
  appended: m.statusAppended,
  unknown: m.statusUnknown,
};

/** Returns the status of a report in words. */
export function statusWords(status: string): string {
  return STATUS[status]?.() ?? status;
}

/** Returns the studies of an entry that the record has. */
export function studiesOf(entry: TimelineEntry, record: PatientRecord): Study[] {
  return record.studies.filter(({ uid }) => entry.studies.includes(uid));
}

/** Returns all that a search finds of an entry. */
export function searchWords(entry: TimelineEntry, studies: readonly Study[], wording: Wording): string {
  return [
    entry.title,
    entry.date ? `${entry.date} ${dayOf(entry.date)}` : '',
    kindWords(entry.kind, studies, wording),
    ...studies.flatMap(({ modalities, accession = '' }) => [...modalities, accession]),
    ...entry.reports.flatMap(({ concept, text }) => [concept.text, text]),
    ...entry.results.map(({ concept, value }) => `${concept.text} ${value}`),
  ].join(' ');
}
