/** The chart and the pivot that a list begins with: axes that say something, without a question. */
import { chartOf, choicesFor, isOrdinal, kindsFor, type ChartChoice, type ChartKind } from './charts.ts';
import { momentOf, type ResultTable } from './lists.ts';
import type { PivotChoice } from './pivot.ts';

/** Names of columns whose values name something, also where they are numbers. */
const NAMING = /(^|[._])(id|uid|code|identifier|accession|number|url|reference)$/i;
/** Names of numbers that people measure or count. */
const MEASURED = /(^|[._])(value|count|total|sum|n|last|mean|average|median|min|max)$/i;
/** Names of numbers that are added up. */
const COUNTED = /(^|[._ ])(count|total|sum|n|rows|studies|series|instances|patients)\w*(\(.*\))?$/i;
/** Values that are told apart on an axis. */
const MOST_VALUES = 30;

const differentIn = ({ rows }: ResultTable, at: number) => new Set(rows.map((cells) => cells[at])).size;

/** Returns the choices of which a smaller rank is better, those of one rank in their order. */
function ranked(choices: readonly number[], rank: (at: number) => number): number[] {
  const ranks = new Map(choices.map((at) => [at, rank(at)]));
  return [...choices].sort((a, b) => ranks.get(a)! - ranks.get(b)!);
}

/** Ranks categories: few of them, but more than one; those that name a row last. */
function categories(table: ResultTable, choices: readonly number[]): number[] {
  return ranked(choices, (at) => {
    const { name, type } = table.columns[at]!;
    const different = differentIn(table, at);
    const isTold = different > 1 && (different <= MOST_VALUES || type === 'date');
    // A number that names no year is a category for whom nothing else is there.
    const isUnusual = NAMING.test(name) || (type === 'number' && !isOrdinal(table.columns[at]!));
    return (isTold ? 0 : 2e6) + (isUnusual ? 1e6 : 0) + (different > 1 ? different : 1e5);
  });
}

/** Ranks numbers: those that vary, and that are measured or counted. */
function measures(table: ResultTable, choices: readonly number[]): number[] {
  return ranked(choices, (at) => {
    const { name } = table.columns[at]!;
    const isNaming = NAMING.test(name) || isOrdinal(table.columns[at]!);
    return (isNaming ? 4 : 0) + (differentIn(table, at) > 1 ? 0 : 2) + (MEASURED.test(name) ? 0 : 1);
  });
}

/** Returns the choice that a chart of a kind begins with. @param kind undefined: the kind that says most */
export function firstChoice(table: ResultTable, kind = firstKind(table)): ChartChoice {
  const { by, of } = choicesFor(kind, table.columns);
  // The date of birth of one patient says nothing.
  const dates = kind === 'time' ? ranked(by, (at) => -differentIn(table, at)) : categories(table, by);
  const number = measures(table, of)[0];
  return { kind, by: dates.find((at) => at !== number) ?? by[0]!, of: number };
}

function firstKind(table: ResultTable): ChartKind {
  const kinds = kindsFor(table.columns);
  if (kinds.includes('time')) {
    const { by } = firstChoice(table, 'time');
    const moments = table.rows.map((cells) => cells[by]).filter((cell) => typeof cell === 'string');
    if (new Set(moments.map(momentOf)).size > 1) return 'time';
  }
  if (!kinds.includes('average')) return kinds[0]!;
  const choice = firstChoice(table, 'average');
  const { name } = table.columns[choice.of!]!;
  if (NAMING.test(name) || isOrdinal(table.columns[choice.of!]!)) return 'count';
  return COUNTED.test(name) && !chartOf(table, choice).isOneRowEach ? 'sum' : 'average';
}

/** Returns the pivot that a list begins with: its two best categories, and how many rows have both. */
export function firstPivot(table: ResultTable): PivotChoice {
  const all = categories(
    table,
    table.columns.map((_, at) => at),
  );
  const numbers = table.columns.flatMap(({ type }, at) => (type === 'number' ? [at] : []));
  const of = measures(table, numbers)[0];
  const isCounted = of !== undefined && COUNTED.test(table.columns[of]!.name);
  const [columns, rows = columns] = all.filter((at) => !isCounted || at !== of);
  // A list of counts that the server made has one row for each pair.
  return { rows: rows ?? 0, columns: columns ?? 0, measure: isCounted ? 'sum' : 'count', of };
}
