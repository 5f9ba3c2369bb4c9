/** Points of one measurement over time, from Observations and their components. */
import type { Trend } from '../../domain/record/record.ts';
import { startOf } from '../fhir/dates.ts';
import {
  omitEmpty,
  present,
  type FhirComponent,
  type FhirObservation,
  type FhirQuantity,
  type Maybe,
} from '../fhir/shapes.ts';
import { conceptOf, flagsOf, isError, observedAt, rangeOf } from '../fhir/words.ts';

interface Point {
  date: string;
  value: number;
  unit: string | undefined;
  flags: string[];
  part: FhirComponent;
  range: { low?: number; high?: number };
}

/** Returns a trend for each unit, the one with the newest point first. Units are not converted. */
export function trendsOf(observations: readonly FhirObservation[], code: string): Trend[] {
  const points = observations
    .filter((one) => !isError(one) && one.status !== 'cancelled')
    .flatMap((one) => pointsOf(one, code));
  points.sort((a, b) => (startOf(a.date) ?? 0) - (startOf(b.date) ?? 0));
  const units = [...new Set(points.map(({ unit }) => unit).reverse())];
  return units.map((unit) =>
    trendOf(
      unit,
      points.filter((point) => point.unit === unit),
      code,
    ),
  );
}

function trendOf(unit: string | undefined, points: readonly Point[], code: string): Trend {
  const ranged = points.findLast(({ range }) => range.low !== undefined || range.high !== undefined);
  const { part } = points[0]!;
  const coding = present(part.code?.coding).find((one) => isAsked(one, code));
  return omitEmpty({
    concept: omitEmpty({
      text: conceptOf(part.code).text,
      system: coding?.system ?? undefined,
      code: coding?.code ?? undefined,
    }),
    unit,
    points: points.map(({ date, value, flags }) => ({ date, value, flags })),
    range: ranged?.range,
  });
}

function pointsOf(observation: FhirObservation, code: string): Point[] {
  const date = observedAt(observation);
  if (startOf(date) === undefined) return [];
  const parts: FhirComponent[] = [observation, ...present(observation.component)];
  return parts.flatMap((part): Point | [] => {
    const { valueQuantity: quantity } = part;
    const value = quantity?.value ?? undefined;
    // The limit of a range (< 5) is no point, and neither is a number of an unknown unit.
    const unit = quantity?.code ?? quantity?.unit ?? undefined;
    const isWanted = present(part.code?.coding).some((one) => isAsked(one, code));
    if (!isWanted || value === undefined || quantity?.comparator || unit === undefined) return [];
    const { low, high } = rangeOf(part) ?? {};
    const range = omitEmpty({ low: limitOf(low, unit), high: limitOf(high, unit) });
    const flags = flagsOf(part).slice(0, 1);
    return { date: date!, value, unit, part, range, flags: flags.length > 0 ? flags : flagsBy(value, range) };
  });
}

/** @param code `code` or `system|code` */
function isAsked(coding: { system?: Maybe<string>; code?: Maybe<string> }, code: string): boolean {
  return coding.code === code || `${coding.system}|${coding.code}` === code;
}

/** Returns a limit of a range that is in the unit of the value. */
function limitOf(limit: Maybe<FhirQuantity>, unit: string): number | undefined {
  const own = limit?.code ?? limit?.unit;
  return own === unit && !limit?.comparator ? (limit?.value ?? undefined) : undefined;
}

function flagsBy(value: number, { low, high }: Point['range']): string[] {
  if (low === undefined && high === undefined) return [];
  if (high !== undefined && value > high) return ['H'];
  return [low !== undefined && value < low ? 'L' : 'N'];
}
