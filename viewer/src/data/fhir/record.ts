/** A whole record, put together in the same way from answers of GraphQL and of REST. */
import type { PatientRecord, Report } from '../../domain/record/record.ts';
import type { Study } from '../../domain/study.ts';
import { startOf } from './dates.ts';
import { allergiesOf, medicationsOf, problemsOf } from './lists.ts';
import { personOf } from './person.ts';
import {
  present,
  type FhirAllergy,
  type FhirCondition,
  type FhirMedicationRequest,
  type FhirPatient,
  type List,
} from './shapes.ts';
import { newestFirst } from './studies.ts';
import { timelineOf, type TimelineParts } from './timeline.ts';

export interface RecordParts extends Omit<TimelineParts, 'studies' | 'reports'> {
  patient: FhirPatient;
  /** Each null or undefined if it did not arrive. */
  allergies: List<FhirAllergy>;
  conditions: List<FhirCondition>;
  medications: List<FhirMedicationRequest>;
  visitsUnread?: boolean;
  studies: readonly Study[];
  reports: readonly Report[];
  missing: PatientRecord['missing'];
}

export function recordOf(parts: RecordParts): PatientRecord {
  const studies = newestFirst(parts.studies);
  const reports = sorted(parts.reports, (one) => one.date);
  const { events, resultsOfReport } = parts;
  return {
    person: personOf(parts.patient),
    allergies: hasArrived(parts.allergies)
      ? allergiesOf(parts.allergies).sort((a, b) => Number(b.high) - Number(a.high) || byId(a, b))
      : undefined,
    problems: hasArrived(parts.conditions)
      ? sorted(problemsOf(parts.conditions), (one) => one.onset)
      : undefined,
    medications: hasArrived(parts.medications)
      ? sorted(medicationsOf(parts.medications), (one) => one.authored)
      : undefined,
    ...(parts.visitsUnread && { visitsUnread: true }),
    studies,
    reports,
    timeline: timelineOf({ events, studies, reports, resultsOfReport }),
    missing: withoutRepetitions(parts.missing),
  };
}

/** Returns false also for a list of which no item has arrived. */
function hasArrived<T>(list: List<T>): boolean {
  return list?.length === 0 || present(list).length > 0;
}

type Identified = { id: string };

/** Sorts: newest first, undated last. */
function sorted<T extends Identified>(list: readonly T[], dateOf: (one: T) => string | undefined): T[] {
  const start = (one: T): number => startOf(dateOf(one)) ?? Number.MIN_SAFE_INTEGER;
  return [...list].sort((a, b) => start(b) - start(a) || byId(a, b));
}

const byId = (a: Identified, b: Identified): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

function withoutRepetitions(missing: PatientRecord['missing']): PatientRecord['missing'] {
  return [...new Map(missing.map((one) => [`${one.part} ${one.message}`, one])).values()];
}
