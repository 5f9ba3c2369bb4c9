import { DIASTOLIC, SYSTOLIC } from '../../domain/record/blood-pressure.ts';
import type { Trend } from '../../domain/record/record.ts';
import { m } from '../../messages/compiled/messages.js';
import { getLocale } from '../../messages/compiled/runtime.js';
import { dateFor } from '../../messages/dates.ts';
import type { Wording } from '../../messages/modalities.ts';
import { flagWords, unitWords } from '../../messages/plain/codes.ts';
import { nameFor } from '../../messages/plain/names.ts';
import { today } from '../../ui/context.ts';
import type { Lines, Row } from './lines.ts';

/** Returns a number with its unit; it is never rounded. */
export function valueWords(value: number, unit: string | undefined): string {
  const number = value.toLocaleString(getLocale(), { maximumFractionDigits: 20 });
  return [number, unitWords(unit)].filter(Boolean).join(' ');
}

/** Returns what a chart is of. */
export function chartName([first, second]: Lines, wording: Wording): string {
  return second ? m.bloodPressure() : nameFor(first.concept, wording);
}

/** Returns the short name of a line, beside another one. */
export function lineName({ concept }: Trend, wording: Wording): string {
  const isPlain = wording === 'plain';
  if (concept.code === SYSTOLIC) return isPlain ? m.trendUpper() : m.trendSystolic();
  if (concept.code === DIASTOLIC) return isPlain ? m.trendLower() : m.trendDiastolic();
  return nameFor(concept, wording);
}

/** Returns how values compare with the usual ones: `high`, or `Upper: high`. */
export function rowFlags({ points }: Row, lines: Lines, wording: Wording): string[] {
  return lines.flatMap((line, index) => {
    const words = flagWords(points[index]?.flags ?? []);
    return lines.length === 1 ? words : words.map((flag) => `${lineName(line, wording)}: ${flag}`);
  });
}

/** Returns a row as a sentence: `3 weeks ago (12 Mar 2026): 1.4 mg/dL, high`. */
export function rowWords(row: Row, lines: Lines, wording: Wording): string {
  const said = [rowValue(row, lines, wording), ...rowFlags(row, lines, wording)].join(', ');
  return `${dateFor(wording, row.date, today())}: ${said}`;
}

/** Returns `1.4 mg/dL`, `128/82 mmHg`, or for half a blood pressure `Upper 128 mmHg`. */
function rowValue({ points }: Row, lines: Lines, wording: Wording): string {
  const { unit } = lines[0];
  const values = points.flatMap((point) => (point ? valueWords(point.value, undefined) : []));
  const words = [values.join('/'), unitWords(unit)].filter(Boolean).join(' ');
  const only = points.findIndex((point) => point !== undefined);
  return values.length === lines.length ? words : `${lineName(lines[only]!, wording)} ${words}`;
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
