import type { Concept, EntryKind, PatientRecord, TimelineEntry } from '../../domain/record/record.ts';
import type { Study } from '../../domain/study.ts';
import { dayOf } from '../../messages/dates.ts';
import { m } from '../../messages/compiled/messages.js';
import { modalityNames, type Wording } from '../../messages/modalities.ts';
import { ACCOMPANYING, plainReport, plainResult, plainStudy } from '../../messages/plain/names.ts';
import { plainVisit } from '../../messages/plain/visits.ts';

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
  const codes = studies.flatMap((study) => study.modalities);
  const taken = codes.filter((code) => !ACCOMPANYING.includes(code));
  const modalities = modalityNames(wording === 'plain' && taken.length > 0 ? taken : codes, wording);
  return modalities || KINDS[kind]();
}

/** Returns the plain name of an entry; undefined where no table knows what it is, and it stays as the record says it. */
export function plainTitle(entry: TimelineEntry, studies: readonly Study[]): string | undefined {
  const [study, ...others] = studies;
  if (study) return others.length === 0 ? plainStudy(study) : undefined;
  if (entry.kind === 'encounter') return plainVisit(entry.title);
  const [report, ...more] = entry.reports;
  if (report?.concept.text === entry.title && more.length === 0) return plainReport(report.concept);
  const concepts = distinct(entry.results.map(({ concept }) => concept));
  // A title of its own, such as that of a report, is no list of results.
  if (concepts.length === 0 || entry.title !== concepts.map(({ text }) => text).join(', ')) return undefined;
  return [...new Set(concepts.map(plainResult))].join(', ');
}

function distinct(concepts: readonly Concept[]): Concept[] {
  return [...new Map(concepts.map((concept) => [concept.text, concept])).values()];
}

/** Returns the studies of an entry that the record has. */
export function studiesOf(entry: TimelineEntry, record: PatientRecord): Study[] {
  return record.studies.filter(({ uid }) => entry.studies.includes(uid));
}

/** Returns all that a search finds of an entry. */
export function searchWords(entry: TimelineEntry, studies: readonly Study[], wording: Wording): string {
  return [
    entry.title,
    plainTitle(entry, studies) ?? '',
    entry.date ? `${entry.date} ${dayOf(entry.date)}` : '',
    kindWords(entry.kind, studies, wording),
    ...studies.flatMap(({ modalities, accession = '' }) => [...modalities, accession]),
    ...entry.reports.flatMap(({ concept, text }) => [concept.text, text]),
    ...entry.results.map(({ concept, value }) => `${concept.text} ${plainResult(concept)} ${value}`),
  ].join(' ');
}
