/** Accesses in plain words. */
import type { AccessGroup, RecordAccess } from '../../domain/record/access.ts';
import type { Study } from '../../domain/study.ts';
import { m } from '../../messages/compiled/messages.js';
import { getLocale } from '../../messages/compiled/runtime.js';
import { dateLanguage, dayOf } from '../../messages/dates.ts';
import { modalityNames, type Wording } from '../../messages/modalities.ts';
import { plainStudy } from '../../messages/plain/names.ts';

const THINGS: Record<string, () => string> = {
  Patient: m.accessPerson,
  ImagingStudy: m.accessImageList,
  DiagnosticReport: m.accessReports,
  Observation: m.accessResults,
  Condition: m.accessProblems,
  MedicationRequest: m.accessMedicines,
  AllergyIntolerance: m.accessAllergies,
  Procedure: m.accessProcedures,
  Encounter: m.accessVisits,
  Immunization: m.accessVaccinations,
  DocumentReference: m.accessDocuments,
  Binary: m.accessDocuments,
  AuditEvent: m.accessThisList,
};

const SENTENCES = {
  opened: m.accessOpened,
  looked: m.accessLooked,
  refused: m.accessRefused,
  failed: m.accessFailed,
};

/** A line for accesses of one kind. */
export interface AccessLine {
  /** Of the newest. */
  time: string;
  text: string;
}

/** The record that gives studies their names, and the words for them. */
export interface Named {
  studies: readonly Study[];
  wording: Wording;
}

/** Returns who it was: "You" for the patient. */
export function whoOf({ user, name, client }: AccessGroup, patient: string): string {
  if (`/${user}`.endsWith(`/Patient/${patient}`)) return m.accessYou();
  return name ?? user ?? m.accessAppAlone({ app: client ?? m.accessUnknownApp() });
}

/** Returns what was done: a line for each study that was opened, and one for all else that was done, refused or failed. */
export function linesOf({ accesses }: AccessGroup, named: Named): AccessLine[] {
  const lines = new Map<
    string,
    { time: string; says: (what: { what: string }) => string; things: Set<string> }
  >();
  for (const access of accesses) {
    const kind = access.outcome === 'done' ? access.does : access.outcome;
    const thing = thingOf(access, named);
    const key = kind === 'opened' && access.study !== undefined ? `${kind} ${thing}` : kind;
    const line = lines.get(key) ?? { time: access.time, says: SENTENCES[kind], things: new Set() };
    line.things.add(thing);
    lines.set(key, line);
  }
  const list = new Intl.ListFormat(getLocale());
  return [...lines.values()].map(({ time, says, things }) => ({
    time: timeOf(time),
    text: says({ what: list.format([...things].sort(otherLast)) }),
  }));
}

const otherLast = (one: string, other: string) =>
  Number(one === m.accessOther()) - Number(other === m.accessOther());

function thingOf({ type, study: uid, does }: RecordAccess, { studies, wording }: Named): string {
  const study = studies.find((one) => one.uid === uid);
  if (study) {
    const clear = wording === 'plain' ? plainStudy(study) : study.description;
    const what = clear ?? modalityNames(study.modalities, wording);
    return study.started ? m.accessStudyOf({ what, date: dayOf(study.started) }) : m.accessStudy({ what });
  }
  if (uid !== undefined || (type === 'ImagingStudy' && does === 'opened')) return m.accessImages();
  return (THINGS[type ?? ''] ?? m.accessOther)();
}

function timeOf(time: string): string {
  return new Date(time).toLocaleTimeString(dateLanguage(), { hour: '2-digit', minute: '2-digit' });
}
