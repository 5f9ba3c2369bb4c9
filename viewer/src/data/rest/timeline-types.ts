/** The types of a record that become events, as our gateway's timeline has them (docs/timeline.md). */
import type { EntryKind } from '../../domain/record/record.ts';
import type { FhirConcept, FhirPeriod, FhirReference, List, Maybe } from '../fhir/shapes.ts';
import { conceptOf } from '../fhir/words.ts';
import type { Parameters, Resource } from './search.ts';

/** Elements of these types. */
export interface EventResource extends Resource {
  status?: Maybe<string>;
  verificationStatus?: Maybe<FhirConcept>;
  code?: Maybe<FhirConcept>;
  /** A list in Encounter. */
  type?: List<FhirConcept> | FhirConcept;
  class?: Maybe<{ code?: Maybe<string>; display?: Maybe<string> }>;
  description?: Maybe<string>;
  vaccineCode?: Maybe<FhirConcept>;
  medicationCodeableConcept?: Maybe<FhirConcept>;
  medicationReference?: Maybe<FhirReference>;
  period?: Maybe<FhirPeriod>;
  date?: Maybe<string>;
  authoredOn?: Maybe<string>;
  recordedDate?: Maybe<string>;
  effectiveDateTime?: Maybe<string>;
  effectivePeriod?: Maybe<FhirPeriod>;
  performedDateTime?: Maybe<string>;
  performedPeriod?: Maybe<FhirPeriod>;
  occurrenceDateTime?: Maybe<string>;
  onsetDateTime?: Maybe<string>;
  onsetPeriod?: Maybe<FhirPeriod>;
  abatementDateTime?: Maybe<string>;
  abatementPeriod?: Maybe<FhirPeriod>;
}

export interface EventType {
  type: string;
  kind: EntryKind;
  parameters?: Parameters;
  when: (resource: EventResource) => FhirPeriod;
  title: (resource: EventResource) => string;
}

const at = (date: Maybe<string>, period?: Maybe<FhirPeriod>): FhirPeriod =>
  date ? { start: date } : (period ?? {});
const named = ({ code }: EventResource): string => conceptOf(code).text;
const medicated = ({ medicationCodeableConcept, medicationReference }: EventResource): string =>
  conceptOf(medicationCodeableConcept).text || (medicationReference?.display ?? '');
const typeOf = ({ type }: EventResource): string =>
  conceptOf([type ?? []].flat()[0] as Maybe<FhirConcept>).text;

export const EVENT_TYPES: readonly EventType[] = [
  {
    type: 'Encounter',
    kind: 'encounter',
    parameters: { _sort: '-date' },
    when: ({ period }) => period ?? {},
    title: (one) => typeOf(one) || (one.class?.display ?? one.class?.code ?? 'Encounter'),
  },
  {
    type: 'Procedure',
    kind: 'procedure',
    parameters: { _sort: '-date' },
    when: ({ performedDateTime, performedPeriod }) => at(performedDateTime, performedPeriod),
    title: named,
  },
  { type: 'Condition', kind: 'problem', when: conditionWhen, title: named },
  {
    type: 'MedicationRequest',
    kind: 'medication',
    parameters: { _sort: '-authoredon' },
    when: ({ authoredOn }) => at(authoredOn),
    title: medicated,
  },
  {
    type: 'MedicationStatement',
    kind: 'medication',
    parameters: { _sort: '-effective' },
    when: ({ effectiveDateTime, effectivePeriod }) => at(effectiveDateTime, effectivePeriod),
    title: medicated,
  },
  {
    type: 'Immunization',
    kind: 'immunization',
    parameters: { _sort: '-date' },
    when: ({ occurrenceDateTime }) => at(occurrenceDateTime),
    title: ({ vaccineCode }) => conceptOf(vaccineCode).text,
  },
  {
    type: 'DocumentReference',
    kind: 'document',
    parameters: { _sort: '-date' },
    when: ({ date }) => at(date),
    title: (one) => one.description ?? typeOf(one),
  },
];

/** A condition is dated by its onset, or else by when it was recorded; it ends when it abates. */
function conditionWhen(condition: EventResource): FhirPeriod {
  const onset = at(condition.onsetDateTime, condition.onsetPeriod);
  const abated = at(condition.abatementDateTime, condition.abatementPeriod);
  return { start: onset.start ?? condition.recordedDate, end: abated.end ?? abated.start ?? onset.end };
}
