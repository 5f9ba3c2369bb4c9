import type { CodeableConcept, Coding, Observation, ObservationReferenceRange, Quantity } from 'fhir/r4.js';
import { decimalText, isDecimal } from '../../../schema/fhir/decimal.ts';
import { startOf } from '../timeline/dates.ts';
import { inWords, observationWhen } from '../timeline/types.ts';
import { UCUM } from './units.ts';

/** A code that was asked for; without a system, in any. */
export interface AskedCode {
  system?: string | undefined;
  code: string;
}

/** One measured value: of an observation or of one of its components. */
export interface Measurement {
  observation: Observation;
  /** The coding that was asked for, as the record has it. */
  coding: Coding;
  title: string | undefined;
  date: string | undefined;
  /** Milliseconds since the epoch; Infinity without a date: these come last. */
  time: number;
  /** A decimal as `parseFhirJson` gives it; undefined if the record has no plain number with a unit. */
  value?: number | string;
  unit?: string;
  /** True if the unit is UCUM, and can be converted. */
  isUcum: boolean;
  /** The value in words, as the record has it. */
  text: string;
  range?: ObservationReferenceRange;
  flag?: string;
}

/** What an observation and a component of it have in common. */
type Measured = Pick<Observation, 'code' | 'valueQuantity' | 'valueString' | 'valueCodeableConcept'> &
  Pick<Observation, 'valueInteger' | 'valueBoolean' | 'referenceRange' | 'interpretation'>;

/** Returns the measured values of these codes; none of an observation that was entered in error. */
export function measurementsOf(observation: Observation, asked: readonly AskedCode[]): Measurement[] {
  if (observation.status === 'entered-in-error' || observation.status === 'cancelled') return [];
  const parts: readonly Measured[] = [observation, ...(observation.component ?? [])];
  const date = observationWhen(observation)?.date;
  const time = startOf(date) ?? Infinity;
  return parts.flatMap((part) => {
    const coding = part?.code?.coding?.find((one) => asked.some((wanted) => isCode(one, wanted)));
    const value = coding && valueOf(part);
    if (!value) return [];
    const flag = flagOf(part.interpretation);
    const range = rangeOf(part.referenceRange);
    return {
      ...{ observation, coding, title: inWords(part.code), date, time },
      ...value,
      ...(range && { range }),
      ...(flag !== undefined && { flag }),
    };
  });
}

function isCode(coding: Coding | null, { system, code }: AskedCode): boolean {
  return coding?.code === code && (system === undefined || coding.system === system);
}

type Value = Pick<Measurement, 'value' | 'unit' | 'isUcum' | 'text'>;

function valueOf(part: Measured): Value | undefined {
  const { valueQuantity, valueInteger, valueString, valueBoolean, valueCodeableConcept } = part;
  if (valueQuantity) return quantityOf(valueQuantity);
  const others = [valueString, inWords(valueCodeableConcept), valueInteger, valueBoolean];
  const text = others.find((one) => one !== undefined);
  // A number without a unit is shown as the record has it: it may be of any unit.
  return text === undefined ? undefined : { text: String(text), isUcum: false };
}

/** Returns the value of a quantity: a number only if it has a unit, and is not the limit of a range (`<5`). */
function quantityOf({ value, comparator, unit, code, system }: Quantity): Value | undefined {
  const number = decimalText(value);
  if (number === undefined) return undefined;
  const text = [comparator, number, unit ?? code].filter((part) => part !== undefined).join(' ');
  const isUcum = system === UCUM && code !== undefined;
  const named = isUcum ? code : (code ?? unit);
  if (named === undefined) return { text, isUcum: false };
  return { text, isUcum, unit: named, ...(comparator === undefined && { value: value as number }) };
}

/** Returns the code of an interpretation (H, L, N, …). */
function flagOf(interpretation: CodeableConcept[] | undefined): string | undefined {
  const [first] = interpretation ?? [];
  return first?.coding?.find((coding) => coding?.code)?.code ?? first?.text;
}

/** Returns the reference range: the only one, or the only normal one. Which of several is meant is not said. */
function rangeOf(ranges: ObservationReferenceRange[] | undefined): ObservationReferenceRange | undefined {
  const all = (ranges ?? []).filter((range) => range !== null);
  if (all.length === 1) return all[0];
  const normal = all.filter(({ type }) => type?.coding?.some((coding) => coding?.code === 'normal'));
  return normal.length === 1 ? normal[0] : undefined;
}

/** Returns true for a number as `parseFhirJson` gives it. */
export const isNumber = (value: unknown): value is number | string => isDecimal(value);
