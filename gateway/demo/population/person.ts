import { demoUid } from '../stories.ts';
import { Random } from './random.ts';
import {
  DISEASES,
  FAMILIES,
  GIVEN,
  SCREENING,
  USUAL_STUDIES,
  type Disease,
  type StudyKind,
  type Traits,
} from './tables.ts';

/** One invented patient, from whom record and images are written. */
export interface InventedPerson extends Traits {
  /** Logical id. */
  id: string;
  /** Value of the MR identifier. */
  number: string;
  family: string;
  given: string;
  /** FHIR date. */
  birthDate: string;
  diseases: readonly Diagnosis[];
  studies: readonly InventedStudy[];
  /** Of what the record adds. */
  random: Random;
}

/** A study, in the record and in the archive. */
export interface InventedStudy {
  uid: string;
  /** For the UIDs of its parts. */
  key: string;
  accession: string;
  kind: StudyKind;
  /** FHIR date. */
  date: string;
  /** `hh:mm`. */
  time: string;
  /** The disease that it was for. */
  disease?: Disease;
}

/** A disease, and since when. */
export interface Diagnosis {
  disease: Disease;
  /** FHIR date. */
  onset: string;
}

/** The number of patients. */
export const POPULATION = 1000;
/** The record ends here. */
export const LAST_DAY = Date.UTC(2026, 9, 31);
const FIRST_YEAR = 2018;
const DAY = 86_400_000;

/** Returns the logical id of a patient, from 1. */
export const patientId = (number: number): string => `pop-${String(number).padStart(4, '0')}`;

/** Returns a FHIR date. */
export const dateOf = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 10);

/** Returns a day of the record, more often a late one, and not before `since` (a FHIR date). */
export function dayOf(random: Random, since = `${FIRST_YEAR}-01-01`): number {
  const first = Math.max(Date.parse(since), Date.UTC(FIRST_YEAR, 0, 1));
  const share = 1 - random.next() ** 1.6;
  return first + Math.floor(((LAST_DAY - first) * share) / DAY) * DAY;
}

/** Invents a patient: the same on every machine. @param number from 1 */
export function inventPerson(number: number): InventedPerson {
  const random = new Random(number);
  const sex = random.chance(0.53) ? 'female' : 'male';
  const age = Math.round(Math.min(94, Math.max(19, random.around(58, 17))));
  const traits: Traits = {
    sex,
    age,
    bmi: Math.round(10 * Math.min(46, Math.max(17, random.around(27, 4.5)))) / 10,
    smokes: random.chance(sex === 'male' ? 0.27 : 0.19),
  };
  const birth = LAST_DAY - Math.round(age * 365.25 + random.integer(0, 364)) * DAY;
  const found = new Set<string>();
  for (const { key, probability } of DISEASES) if (random.chance(probability(traits, found))) found.add(key);
  const diseases = DISEASES.filter(({ key }) => found.has(key)).map((disease) => {
    const years = random.integer(0, Math.min(15, age - 18));
    return { disease, onset: dateOf(LAST_DAY - years * 365 * DAY - random.integer(30, 360) * DAY) };
  });
  const id = patientId(number);
  return {
    ...traits,
    id,
    number: `POP-${String(number).padStart(6, '0')}`,
    family: random.pick(FAMILIES),
    given: random.pick(GIVEN[sex].split(' ')),
    birthDate: dateOf(birth),
    diseases,
    studies: inventStudies(number, traits, { diseases, random }),
    random,
  };
}

const STUDIES = 3;

/** Chooses studies by what the patient has: an ill patient is imaged for that, after its onset. */
function inventStudies(
  number: number,
  { sex, age }: Traits,
  { diseases, random }: { diseases: readonly Diagnosis[]; random: Random },
): InventedStudy[] {
  const ofDiseases = diseases.flatMap(({ disease, onset }) =>
    disease.studies.map((kind) => ({ weight: kind.weight, kind, disease, since: onset })),
  );
  const usual = [...USUAL_STUDIES, ...(sex === 'female' && age >= 45 && age < 75 ? [SCREENING] : [])];
  const all = [...ofDiseases, ...usual.map((kind) => ({ weight: kind.weight / 2, kind }))];
  return Array.from({ length: STUDIES }, (_, index) => {
    const chosen = random.weighted<{ weight: number; kind: StudyKind; disease?: Disease; since?: string }>(
      all,
    );
    const key = `population-${number}-${index + 1}`;
    return {
      uid: demoUid('study', key),
      key,
      accession: `PO${String(number).padStart(5, '0')}-${index + 1}`,
      kind: chosen.kind,
      date: dateOf(dayOf(random, chosen.since)),
      time: `${String(random.integer(7, 18)).padStart(2, '0')}:${random.pick(['05', '20', '35', '50'])}`,
      ...(chosen.disease && { disease: chosen.disease }),
    };
  });
}
