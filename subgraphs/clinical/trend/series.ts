import type { Coding, Quantity } from 'fhir/r4.js';
import { decimalText, isDecimal } from '../../../schema/fhir/decimal.ts';
import { UCUM } from '../../../schema/fhir/ucum.ts';
import type { Measurement } from './measurements.ts';
import { converted, isConvertible } from './units.ts';

/** One point, as the graph gives it. */
export interface Point {
  id: string | undefined;
  date: string | undefined;
  value: number | string | undefined;
  text: string;
  converted: boolean;
  low: number | string | undefined;
  high: number | string | undefined;
  range: string | undefined;
  flag: string | undefined;
  observation: Measurement['observation'];
}

/** Points of one code in one unit. */
export interface Series {
  code: Coding;
  title: string | undefined;
  unit?: string;
  points: Point[];
}

/**
 * Makes the series of one code: first the one in the unit of the trend, then those with newer points. Units that cannot be converted, and values without a
 * unit, are series of their own.
 * @param measurements of the code, oldest first
 * @param wanted UCUM unit; undefined: that of the newest measurement that has one
 */
export function seriesOf(measurements: readonly Measurement[], wanted: string | undefined): Series[] {
  const unit = wanted ?? measurements.findLast(({ isUcum, value }) => isUcum && value !== undefined)?.unit;
  const convert = convertOnce();
  const convertible = new Map<string, boolean>();
  const all = new Map<string, { series: Series; newest: number; isMain: boolean }>();
  for (const one of measurements) {
    const own = one.unit ?? '';
    if (one.isUcum && unit !== undefined && !convertible.has(own))
      convertible.set(own, isConvertible(own, unit));
    const target = one.isUcum && convertible.get(own) ? unit : one.unit;
    const key = `${one.isUcum} ${target ?? ''}`;
    let found = all.get(key);
    if (!found) {
      const isMain = one.isUcum && target === unit;
      const series: Series = { code: one.coding, title: one.title, points: [] };
      if (target !== undefined) series.unit = target;
      all.set(key, (found = { series, newest: 0, isMain }));
    }
    found.series.points.push(pointOf(one, target, convert));
    found.newest = one.time;
  }
  const sorted = [...all.values()].sort((a, b) => Number(b.isMain) - Number(a.isMain) || b.newest - a.newest);
  return sorted.map(({ series }) => series);
}

type Convert = typeof converted;

/** Converts each value once: most points of a series have the same range. */
function convertOnce(): Convert {
  const known = new Map<string, ReturnType<Convert>>();
  return (value, from, to) => {
    const key = `${value} ${from} ${to}`;
    if (!known.has(key)) known.set(key, converted(value, from, to));
    return known.get(key);
  };
}

function pointOf(one: Measurement, unit: string | undefined, convertFrom: Convert): Point {
  const { observation, date, text, range, flag } = one;
  const convert = (value: number | string | undefined): number | string | undefined =>
    value === undefined || unit === undefined || one.unit === unit
      ? value
      : convertFrom(value, one.unit!, unit);
  const value = convert(one.value);
  // A range is compared in the unit of the value, before both are converted and rounded.
  const low = boundOf(range?.low, one);
  const high = boundOf(range?.high, one);
  return {
    id: observation.id,
    date,
    value,
    text,
    converted: value !== undefined && one.unit !== unit,
    low: convert(low),
    high: convert(high),
    range: range?.text ?? rangeText(range?.low, range?.high),
    flag: flag ?? flagBy(one.value, low, high),
    observation,
  };
}

/** Returns a bound of a reference range in the unit of the value; undefined if it is of another kind, or says no unit. */
function boundOf(bound: Quantity | undefined, { unit, isUcum }: Measurement): number | string | undefined {
  if (!bound || !isDecimal(bound.value) || bound.comparator !== undefined || unit === undefined)
    return undefined;
  if (isUcum && bound.system === UCUM && bound.code !== undefined)
    return converted(bound.value, bound.code, unit);
  return (bound.code ?? bound.unit) === unit ? bound.value : undefined;
}

/** Returns the interpretation by the reference range (HL7 v3 ObservationInterpretation); undefined without a range. */
function flagBy(
  value: number | string | undefined,
  low: number | string | undefined,
  high: number | string | undefined,
): 'H' | 'L' | 'N' | undefined {
  if (value === undefined || (low === undefined && high === undefined)) return undefined;
  const number = Number(decimalText(value));
  if (high !== undefined && number > Number(decimalText(high))) return 'H';
  return low !== undefined && number < Number(decimalText(low)) ? 'L' : 'N';
}

function rangeText(low: Quantity | undefined, high: Quantity | undefined): string | undefined {
  const least = decimalText(low?.value);
  const most = decimalText(high?.value);
  if (least === undefined && most === undefined) return undefined;
  const unit = high?.unit ?? high?.code ?? low?.unit ?? low?.code;
  const words = least === undefined ? `≤ ${most}` : most === undefined ? `≥ ${least}` : `${least} – ${most}`;
  return unit === undefined ? words : `${words} ${unit}`;
}
