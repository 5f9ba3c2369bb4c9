/** FHIR concepts, values and ranges in words. */
import type { Concept, Measure, Result } from '../../domain/record/record.ts';
import {
  omitEmpty,
  present,
  type FhirComponent,
  type FhirConcept,
  type FhirObservation,
  type FhirQuantity,
  type FhirRange,
  type Maybe,
} from './shapes.ts';

/** Returns a concept: its text, a display, or else a code; an empty text if the record has none. */
export function conceptOf(concept: Maybe<FhirConcept>): Concept {
  const codings = present(concept?.coding);
  const coded = codings.find(({ code }) => code);
  const display = codings.find((coding) => coding.display)?.display;
  return omitEmpty({
    text: concept?.text ?? display ?? coded?.code ?? '',
    system: coded?.system ?? undefined,
    code: coded?.code ?? undefined,
    coded: concept?.text ? undefined : true,
  });
}

/** Returns true if a concept has one of the codes. */
export function hasCode(concept: Maybe<FhirConcept>, ...codes: readonly string[]): boolean {
  return present(concept?.coding).some(({ code }) => code && codes.includes(code));
}

/** Returns a measured value; undefined for one that was entered in error. */
export function resultOf(observation: FhirObservation): Result | undefined {
  if (!observation.id || isError(observation)) return undefined;
  const own = ownValue(observation);
  const parts = present(observation.component).map((one) => ({
    concept: conceptOf(one.code),
    value: ownValue(one),
  }));
  return omitEmpty({
    id: observation.id,
    concept: conceptOf(observation.code),
    value: own || parts.map(({ concept, value }) => `${concept.text} ${value}`).join(', '),
    parts: own || parts.length === 0 ? undefined : parts,
    date: observedAt(observation),
    range: rangeInWords(rangeOf(observation)),
    flags: flagsOf(observation),
    measures: measuresOf(observation),
  });
}

/** Returns the numbers of an observation and its components; undefined if it has none. */
function measuresOf(observation: FhirObservation): Measure[] | undefined {
  const measures = [observation, ...present(observation.component)].flatMap((part): Measure | [] => {
    const { value, comparator, unit, code } = part.valueQuantity ?? {};
    if (value === undefined || value === null || comparator) return [];
    return omitEmpty({ concept: conceptOf(part.code), value, unit: code ?? unit ?? undefined });
  });
  return measures.length > 0 ? measures : undefined;
}

/** Returns true for what the record says should not be there, or was found to be wrong. */
export function isError(resource: {
  status?: Maybe<string>;
  verificationStatus?: Maybe<FhirConcept>;
}): boolean {
  return (
    resource.status === 'entered-in-error' ||
    hasCode(resource.verificationStatus, 'entered-in-error', 'refuted')
  );
}

export function observedAt(observation: FhirComponent): string | undefined {
  const { effectiveDateTime, effectiveInstant, effectivePeriod } = observation;
  return effectiveDateTime ?? effectiveInstant ?? effectivePeriod?.start ?? undefined;
}

/** Returns the codes of the interpretations (H, L, N, …). */
export function flagsOf({ interpretation }: FhirComponent): string[] {
  return present(interpretation).flatMap((one) => conceptOf(one).code ?? (one.text || []));
}

/** Returns the reference range: the only one, or the only normal one. Which of several is meant is not said. */
export function rangeOf({ referenceRange }: FhirComponent): FhirRange | undefined {
  const all = present(referenceRange);
  if (all.length <= 1) return all[0];
  const normal = all.filter(({ type }) => hasCode(type, 'normal'));
  return normal.length === 1 ? normal[0] : undefined;
}

function ownValue(part: FhirComponent): string {
  if (part.valueQuantity) return quantityInWords(part.valueQuantity);
  if (part.valueCodeableConcept) return conceptOf(part.valueCodeableConcept).text;
  return String(part.valueString ?? part.valueInteger ?? part.valueBoolean ?? '');
}

function quantityInWords({ comparator, value, unit, code }: FhirQuantity): string {
  if (value === undefined || value === null) return '';
  return [comparator, value, unit ?? code].filter((part) => part !== undefined && part !== null).join(' ');
}

function rangeInWords(range: FhirRange | undefined): string | undefined {
  if (range?.text) return range.text;
  const [low, high] = [range?.low?.value ?? undefined, range?.high?.value ?? undefined];
  if (low === undefined && high === undefined) return undefined;
  const unit = range?.high?.unit ?? range?.high?.code ?? range?.low?.unit ?? range?.low?.code;
  const words = low === undefined ? `≤ ${high}` : high === undefined ? `≥ ${low}` : `${low} – ${high}`;
  return unit ? `${words} ${unit}` : words;
}
