import type { Trend } from '../../domain/record/record.ts';
import { getLocale } from '../../messages/compiled/runtime.js';
import { dateFor } from '../../messages/dates.ts';
import type { Wording } from '../../messages/modalities.ts';
import { flagWords, unitWords } from '../../messages/plain/codes.ts';
import { today } from '../../ui/context.ts';

type Point = Trend['points'][number];

/** Returns a number with its unit; it is never rounded. */
export function valueWords(value: number, unit: string | undefined): string {
  const number = value.toLocaleString(getLocale(), { maximumFractionDigits: 20 });
  return [number, unitWords(unit)].filter(Boolean).join(' ');
}

/** Returns a point as a sentence: `3 weeks ago (12 Mar 2026): 1.4 mg/dL, high`. */
export function pointWords(point: Point, { unit }: Trend, wording: Wording): string {
  const said = [valueWords(point.value, unit), ...flagWords(point.flags)].join(', ');
  return `${dateFor(wording, point.date, today())}: ${said}`;
}

/** Returns the usual range: `0.6 – 1.1 mg/dL`, `≤ 200`; undefined where the record has none. */
export function usualWords({ range: { low, high } = {}, unit }: Trend): string | undefined {
  const number = (value: number) => valueWords(value, undefined);
  if (low === undefined && high === undefined) return undefined;
  const words =
    low === undefined
      ? `≤ ${number(high!)}`
      : high === undefined
        ? `≥ ${number(low)}`
        : `${number(low)} – ${number(high)}`;
  return [words, unitWords(unit)].filter(Boolean).join(' ');
}
