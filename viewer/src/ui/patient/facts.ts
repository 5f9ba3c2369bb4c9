import type { PatientRecord } from '../../domain/record/record.ts';
import { ageOn, dateFor, dayOf } from '../../messages/dates.ts';
import { m } from '../../messages/compiled/messages.js';
import type { Wording } from '../../messages/modalities.ts';
import { today } from '../context.ts';

/** One line of a list in the banner. */
export interface Fact {
  id: string;
  text: string;
  /** The words after it, in a quiet colour. */
  note?: string;
  high?: boolean;
}

/** Lists are undefined if they did not arrive. */
export interface Facts {
  allergies: readonly Fact[] | undefined;
  problems: readonly Fact[] | undefined;
  medications: readonly Fact[] | undefined;
  /** Its date; undefined if no visit is on record, or none was read. */
  lastVisit?: string;
  visitsUnread?: boolean;
}

/** Returns what the banner says of a record: the allergies with high risk first, the problems and medications that are active. */
export function factsOf(record: PatientRecord, wording: Wording): Facts {
  const inWords = (date: string) => dateFor(wording, date, today());
  const lastVisit = record.timeline
    .filter(({ kind, date }) => kind === 'encounter' && date !== undefined && date.slice(0, 10) <= today())
    .map(({ date }) => date!)
    .sort()
    .at(-1);
  return {
    allergies: record.allergies
      ?.toSorted((a, b) => Number(b.high) - Number(a.high))
      .map(({ id, concept, high }) => ({ id, text: concept.text, high })),
    problems: record.problems
      ?.filter(({ active }) => active)
      .map(({ id, concept, onset }) => ({
        id,
        text: concept.text,
        note: onset && m.since({ date: dayOf(onset) }),
      })),
    medications: record.medications
      ?.filter(({ active }) => active)
      .map(({ id, concept, authored }) => ({
        id,
        text: concept.text,
        note: authored && m.prescribed({ date: inWords(authored) }),
      })),
    lastVisit,
    visitsUnread: record.visitsUnread,
  };
}

const GENDERS: Record<string, () => string> = {
  male: m.genderMale,
  female: m.genderFemale,
  other: m.genderOther,
  unknown: m.genderUnknown,
};

/** Returns the end of a medical record number: `MRN …4711`. */
export const mrnWords = (mrn: string): string => m.mrn({ end: mrn.slice(-4) });

/** Describes a person in a few words: `54 y · female · born 1 May 1972`. */
export function personWords({ gender, birthDate }: PatientRecord['person']): string {
  const age = ageOn(birthDate, today());
  return [
    age === undefined ? '' : m.age({ age }),
    gender === undefined ? '' : (GENDERS[gender]?.() ?? gender),
    birthDate === undefined ? '' : m.born({ date: dayOf(birthDate) }),
  ]
    .filter(Boolean)
    .join(' · ');
}
