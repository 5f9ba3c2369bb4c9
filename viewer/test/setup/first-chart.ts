/** Invented answers, and the chart that each begins with. */
import { chartOf } from '../../src/playground/results/charts.ts';
import { firstChoice } from '../../src/playground/results/first-choice.ts';
import { tableOf, type ResultTable } from '../../src/playground/results/lists.ts';

export const rowsOf = <Row>(count: number, row: (at: number) => Row): Row[] =>
  Array.from({ length: count }, (_, at) => row(at));
export const of = <Value>(values: readonly Value[], at: number): Value => values[at % values.length]!;
/** A day of one of eight years. */
export const day = (at: number) => `${2018 + (at % 8)}-0${1 + (at % 9)}-1${at % 10}`;

/** The table of rows as `$sql-run` sends them. */
export const tableOfRows = (rows: readonly object[]): ResultTable =>
  tableOf({ rows }, { steps: [{ field: 'rows', isList: true }], count: rows.length });

/** Returns the title of the first chart, and how it is drawn; empty without a chart. */
export function firstChart(table: ResultTable): string {
  const choice = firstChoice(table);
  if (!choice) return '';
  const { title, kind, isLine } = chartOf(table, choice);
  return kind === 'time' ? `${title}: ${isLine ? 'line' : 'points'}` : title;
}
