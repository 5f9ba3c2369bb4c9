import type {
  CodeableConcept,
  Condition,
  DiagnosticReport,
  DocumentReference,
  Encounter,
  Immunization,
  MedicationRequest,
  MedicationStatement,
  Observation,
  Procedure,
  Reference,
  Resource,
} from 'fhir/r4.js';
import { containedTarget } from '../../../schema/fhir/contained.ts';
import type { SearchParams } from '../sources/source.ts';
import { ofDate, ofPeriod, ofTiming, type When } from './dates.ts';

/** The kinds of entries on a timeline, in their order at the same moment. The names are those of the graph's `TimelineKind`. */
export const KINDS = [
  ...(['encounter', 'report', 'study', 'procedure', 'condition', 'medication', 'immunization'] as const),
  ...(['document', 'laboratory', 'vitalSigns'] as const),
] as const;
export type Kind = (typeof KINDS)[number];

/** Rules by which resources of one type of the record become entries. */
export interface RecordType {
  type: string;
  /** Undefined for observations, which become groups. */
  kind?: Kind;
  /** The date parameter by which they are searched and sorted. Undefined: all are read, because no parameter has their date. */
  parameter?: string;
  /** Date parameters of a store that has none for all: the first that a resource has is its date. */
  dates?: readonly string[];
  /** Conditions of the search besides patient and date. */
  params?: SearchParams;
  /** The element may have a value that is no date, such as an age: such resources are neither dated nor `:missing`. */
  mayHaveNoDate?: boolean;
  /** Their entries depend on other resources of the same written day. */
  byDay?: boolean;
  when(resource: Resource): When | undefined;
  title(resource: Resource): string | undefined;
}

/** Makes a row of the table, of resources of type `T`. */
function row<T extends Resource>(
  rest: Omit<RecordType, 'type' | 'when' | 'title'> & { type: T['resourceType'] },
  when: (resource: T) => When | undefined,
  title: (resource: T) => string | undefined,
): RecordType {
  return { ...rest, when: when as RecordType['when'], title: title as RecordType['title'] };
}

/** The types of the record on a timeline. Their searches begin in this order, the largest ones first. */
export const RECORD_TYPES: readonly RecordType[] = [
  row<Observation>(
    { type: 'Observation', parameter: 'date', params: [['category', 'laboratory,vital-signs']], byDay: true },
    observationWhen,
    ({ code }) => inWords(code),
  ),
  row<Encounter>(
    { type: 'Encounter', kind: 'encounter', parameter: 'date' },
    ({ period }) => ofPeriod(period),
    (encounter) =>
      inWords(encounter.type?.[0]) ?? encounter.class?.display ?? encounter.class?.code ?? 'Encounter',
  ),
  row<DiagnosticReport>(
    { type: 'DiagnosticReport', kind: 'report', parameter: 'date', byDay: true },
    (report) => ofDate(report.effectiveDateTime) ?? ofPeriod(report.effectivePeriod),
    ({ code }) => inWords(code),
  ),
  row<Procedure>(
    { type: 'Procedure', kind: 'procedure', parameter: 'date', mayHaveNoDate: true },
    (procedure) => ofDate(procedure.performedDateTime) ?? ofPeriod(procedure.performedPeriod),
    ({ code }) => inWords(code),
  ),
  row<Condition>(
    { type: 'Condition', kind: 'condition', dates: ['onset-date', 'recorded-date'] },
    conditionWhen,
    ({ code }) => inWords(code),
  ),
  row<MedicationRequest>(
    { type: 'MedicationRequest', kind: 'medication', parameter: 'authoredon' },
    ({ authoredOn }) => ofDate(authoredOn),
    medicationTitle,
  ),
  row<MedicationStatement>(
    { type: 'MedicationStatement', kind: 'medication', parameter: 'effective' },
    (statement) => ofDate(statement.effectiveDateTime) ?? ofPeriod(statement.effectivePeriod),
    medicationTitle,
  ),
  row<Immunization>(
    { type: 'Immunization', kind: 'immunization', parameter: 'date', mayHaveNoDate: true },
    ({ occurrenceDateTime }) => ofDate(occurrenceDateTime),
    ({ vaccineCode }) => inWords(vaccineCode),
  ),
  row<DocumentReference>(
    { type: 'DocumentReference', kind: 'document', parameter: 'date' },
    ({ date }) => ofDate(date),
    ({ description, type }) => description ?? inWords(type),
  ),
];

/** A condition is dated by its onset, or else by when it was recorded; it ends when it abates. Without an end it lasts. */
function conditionWhen(condition: Condition): When | undefined {
  const onset = ofDate(condition.onsetDateTime) ?? ofPeriod(condition.onsetPeriod);
  const began = onset?.date === undefined ? ofDate(condition.recordedDate) : onset;
  const abated = ofDate(condition.abatementDateTime) ?? ofPeriod(condition.abatementPeriod);
  const end = abated?.end ?? abated?.date ?? onset?.end;
  return began && { date: began.date, start: began.start, end, isOpen: end === undefined };
}

/** Returns when something was observed. */
export function observationWhen(observation: Observation): When | undefined {
  return (
    ofDate(observation.effectiveDateTime) ??
    ofDate(observation.effectiveInstant) ??
    ofPeriod(observation.effectivePeriod) ??
    ofTiming(observation.effectiveTiming)
  );
}

interface Medicated {
  medicationCodeableConcept?: CodeableConcept;
  medicationReference?: Reference;
}

function medicationTitle({ medicationCodeableConcept, medicationReference }: Medicated): string | undefined {
  const contained = medicationReference && containedTarget(medicationReference);
  return (
    inWords(medicationCodeableConcept) ??
    medicationReference?.display ??
    inWords((contained as { code?: CodeableConcept } | undefined)?.code)
  );
}

/** Returns the words of a concept: its text, the display of a coding, or else a code. */
export function inWords(concept: CodeableConcept | undefined): string | undefined {
  const codings = (concept?.coding ?? []).filter((coding) => coding !== null);
  const named = concept?.text ?? codings.find(({ display }) => display)?.display;
  return named ?? codings.find(({ code }) => code)?.code;
}
