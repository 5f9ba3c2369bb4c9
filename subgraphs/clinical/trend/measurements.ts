import type { CodeableConcept, Coding, Observation, ObservationReferenceRange, Quantity } from 'fhir/r4.js';
import { decimalText } from '../../../schema/fhir/decimal.ts';
import { UCUM } from '../../../schema/fhir/ucum.ts';
import { inWords, observationWhen } from '../timeline/types.ts';

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
  value: number | string | undefined;
  unit: string | undefined;
  /** True if the unit is UCUM, and can be converted. */
  isUcum: boolean;
  /** The value in words, as the record has it. */
  text: string;
  range: ObservationReferenceRange | undefined;
  flag: string | undefined;
}

/** Elements that an observation and a component of it have in common. */
type Measured = Pick<Observation, 'code' | 'valueQuantity' | 'valueString' | 'valueCodeableConcept'> &
  Pick<Observation, 'valueInteger' | 'valueBoolean' | 'referenceRange' | 'interpretation'>;

/** Returns the measured values of these codes; none of an observation that was entered in error. */
export function measurementsOf(observation: Observation, asked: readonly AskedCode[]): Measurement[] {
  if (observation.status === 'entered-in-error' || observation.status === 'cancelled') return [];
  const when = observationWhen(observation);
  const time = when?.start ?? Infinity;
  const found: Measurement[] = [];
  const measure = (part: Measured): void => {
    const coding = part.code?.coding?.find((one) => asked.some((wanted) => isCode(one, wanted)));
    const value = coding && valueOf(part);
    if (!value) return;
    found.push({
      observation,
      coding,
      title: inWords(part.code),
      date: when?.date,
      time,
      value: value.value,
      unit: value.unit,
      isUcum: value.isUcum,
      text: value.text,
      range: rangeOf(part.referenceRange),
      flag: flagOf(part.interpretation),
    });
  };
  measure(observation);
  for (const component of observation.component ?? []) if (component) measure(component);
  return found;
}

function isCode(coding: Coding | null, { system, code }: AskedCode): boolean {
  return coding?.code === code && (system === undefined || coding.system === system);
}

type Value = Partial<Pick<Measurement, 'value' | 'unit'>> & Pick<Measurement, 'isUcum' | 'text'>;

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
  const words = unit ?? code;
  const text = `${comparator === undefined ? '' : `${comparator} `}${number}${words === undefined ? '' : ` ${words}`}`;
  const isUcum = system === UCUM && code !== undefined;
  const named = isUcum ? code : (code ?? unit);
  if (named === undefined) return { text, isUcum: false };
  return { text, isUcum, unit: named, value: comparator === undefined ? value : undefined };
}

/** Returns the code of an interpretation (H, L, N, …). */
function flagOf(interpretation: CodeableConcept[] | undefined): string | undefined {
  const first = interpretation?.[0];
  return first?.coding?.find((coding) => coding?.code)?.code ?? first?.text;
}

/** Returns the reference range: the only one, or the only normal one. Which of several is meant is not said. */
function rangeOf(ranges: ObservationReferenceRange[] | undefined): ObservationReferenceRange | undefined {
  if (!ranges) return undefined;
  const all = ranges.filter((range) => range !== null);
  if (all.length === 1) return all[0];
  const normal = all.filter(({ type }) => type?.coding?.some((coding) => coding?.code === 'normal'));
  return normal.length === 1 ? normal[0] : undefined;
}
