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

export interface Facts {
  allergies: readonly Fact[];
  problems: readonly Fact[];
  medications: readonly Fact[];
  /** Its date in words; undefined if no visit is on record. */
  lastVisit?: string;
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
    allergies: [...record.allergies]
      .sort((a, b) => Number(b.high) - Number(a.high))
      .map(({ id, concept, high }) => ({ id, text: concept.text, high })),
    problems: record.problems
      .filter(({ active }) => active)
      .map(({ id, concept, onset }) => ({
        id,
        text: concept.text,
        note: onset && m.since({ date: dayOf(onset) }),
      })),
    medications: record.medications
      .filter(({ active }) => active)
      .map(({ id, concept, authored }) => ({
        id,
        text: concept.text,
        note: authored && m.prescribed({ date: inWords(authored) }),
      })),
    lastVisit: lastVisit && inWords(lastVisit),
  };
}

const GENDERS: Record<string, () => string> = {
  male: m.genderMale,
  female: m.genderFemale,
  other: m.genderOther,
  unknown: m.genderUnknown,
};

/** Describes a person in a few words: `54 y · female · born 1 May 1972 · MRN …4711`. */
export function personWords({ gender, birthDate, mrns }: PatientRecord['person']): string {
  const age = ageOn(birthDate, today());
  return [
    age === undefined ? '' : m.age({ age }),
    gender === undefined ? '' : (GENDERS[gender]?.() ?? gender),
    birthDate === undefined ? '' : m.born({ date: dayOf(birthDate) }),
    mrns[0] !== undefined ? m.mrn({ end: mrns[0].slice(-4) }) : '',
  ]
    .filter(Boolean)
    .join(' · ');
}
