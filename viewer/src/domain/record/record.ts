/** A patient's record, as the viewer knows it. Dates are FHIR dates or dateTimes. */
import type { Study } from '../study.ts';

export interface Person {
  id: string;
  name: string;
  birthDate?: string;
  /** FHIR code: male, female, other, unknown. */
  gender?: string;
  /** Medical record numbers, compared with those in images. */
  mrns: readonly string[];
  deceased?: string | true;
}

/** A name in words, and what a clinician would look for. */
export interface Concept {
  text: string;
  system?: string;
  code?: string;
  /** True where the record has no words of its own: the text is the name of the code, or the code. */
  coded?: true;
}

export interface Allergy {
  id: string;
  concept: Concept;
  high: boolean;
}

export interface Problem {
  id: string;
  concept: Concept;
  active: boolean;
  onset?: string;
}

export interface Medication {
  id: string;
  concept: Concept;
  active: boolean;
  authored?: string;
}

export interface Report {
  id: string;
  concept: Concept;
  /** FHIR code: final, preliminary, amended, … */
  status: string;
  date?: string;
  /** Its plain text; `conclusion` where it has no other text. */
  text: string;
  /** Attachments that are no plain text, such as a PDF. */
  attachments: readonly Attachment[];
  /** Study Instance UIDs. */
  studies: readonly string[];
  /** Ids of the observations that are its results. */
  results: readonly string[];
}

export interface Attachment {
  contentType: string;
  title?: string;
  /** Base64, where the record has it. */
  data?: string;
  url?: string;
}

/** A number that was measured: that of a result, or of a part of it, such as the systolic pressure. */
export interface Measure {
  concept: Concept;
  value: number;
  /** UCUM where the record has it. */
  unit?: string;
}

/** A measured value, with what it is compared with. */
export interface Result {
  id: string;
  concept: Concept;
  value: string;
  /** Parts of a value, where the record has none of the whole: such as the scores of a questionnaire. */
  parts?: readonly { concept: Concept; value: string }[];
  date?: string;
  /** In words, as the record states it. */
  range?: string;
  /** FHIR codes of the interpretation: H, L, N, … */
  flags: readonly string[];
  /** Its numbers; absent for a value in words, and for the limit of a range (< 5). */
  measures?: readonly Measure[];
}

export type EntryKind =
  | 'study'
  | 'report'
  | 'encounter'
  | 'problem'
  | 'procedure'
  | 'medication'
  | 'immunization'
  | 'document'
  | 'laboratory'
  | 'vital-signs';

/** One event. A study and its reports are one entry. */
export interface TimelineEntry {
  kind: EntryKind;
  /** Unique on the timeline. */
  id: string;
  date?: string;
  end?: string;
  title: string;
  /** Study Instance UIDs. */
  studies: readonly string[];
  reports: readonly Report[];
  results: readonly Result[];
}

export interface PatientRecord {
  person: Person;
  /** Each undefined if it did not arrive: then nobody may read that there are none. */
  allergies: readonly Allergy[] | undefined;
  problems: readonly Problem[] | undefined;
  medications: readonly Medication[] | undefined;
  /** True if no visits were read: then nobody may read that there was none. */
  visitsUnread?: boolean;
  studies: readonly Study[];
  reports: readonly Report[];
  timeline: readonly TimelineEntry[];
  /** Parts that did not arrive, each with its reason. The shown parts are complete in themselves. */
  missing: readonly { part: 'images' | 'record'; message: string }[];
}

/** Points of one measurement over time, in one unit; oldest first. */
export interface Trend {
  concept: Concept;
  /** UCUM; undefined for values without a unit. */
  unit?: string;
  points: readonly { date: string; value: number; flags: readonly string[] }[];
  range?: { low?: number; high?: number };
}
