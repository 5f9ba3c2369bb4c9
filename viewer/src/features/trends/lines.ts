/** Lines of a chart: one measurement, or the two values of a blood pressure. */
import { DIASTOLIC, SYSTOLIC } from '../../domain/record/blood-pressure.ts';
import type { Trend } from '../../domain/record/record.ts';
import { secondsOf } from './time.ts';

/** Trends in one unit. Of a blood pressure, the systolic one is the first. */
export type Lines = readonly [Trend, ...Trend[]];
export type Point = Trend['points'][number];

/** Values of one time. */
export interface Row {
  date: string;
  /** On the axis. */
  at: number;
  /** One for each line. */
  points: readonly (Point | undefined)[];
}

/** Returns the lines of each chart. */
export function chartsOf(trends: readonly Trend[]): Lines[] {
  const beside = ({ unit }: Trend, code: string) =>
    trends.find((one) => one.concept.code === code && one.unit === unit);
  return trends.flatMap((trend): Lines[] => {
    const { code } = trend.concept;
    if (code === DIASTOLIC && beside(trend, SYSTOLIC)) return [];
    const diastolic = code === SYSTOLIC && beside(trend, DIASTOLIC);
    return [diastolic ? [trend, diastolic] : [trend]];
  });
}

/** Returns the points of lines, those of one time together, oldest first: by the time that the record writes, in any zone. */
export function rowsOf(lines: Lines): Row[] {
  const rows = new Map<string, Row & { points: (Point | undefined)[] }>();
  // Of several values of one time nobody knows which belong together.
  const several = new Set(
    lines.flatMap(({ points }) => {
      const seen = new Set<string>();
      return points.flatMap(({ date }) => {
        if (seen.has(date)) return date;
        seen.add(date);
        return [];
      });
    }),
  );
  lines.forEach(({ points }, line) => {
    for (const [place, point] of points.entries()) {
      const at = secondsOf(point.date);
      if (at === undefined) continue;
      const key = several.has(point.date) ? `${point.date} ${line} ${place}` : point.date;
      const row = rows.get(key) ?? { date: point.date, at, points: lines.map(() => undefined) };
      row.points[line] = point;
      rows.set(key, row);
    }
  });
  return [...rows.values()].sort((a, b) => a.at - b.at);
}
