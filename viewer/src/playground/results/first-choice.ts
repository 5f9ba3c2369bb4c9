/** The chart and the pivot that a list begins with: what people mean by their columns, without a question. */
import { chartOf, choicesFor, kindsFor, type ChartChoice, type ChartKind } from './charts.ts';
import {
  categoryRank,
  differentIn,
  isBirth,
  isCount,
  isIdentifier,
  isMixed,
  isOfResources,
  isOrdinal,
  isPeriod,
  measureRank,
  WEAK,
} from './column-roles.ts';
import { momentOf, type ResultTable } from './lists.ts';
import type { PivotChoice } from './pivot.ts';

/** Values that are told apart on an axis. */
const MOST_VALUES = 30;
/** Different numbers of which each is a group: so many patients have one study, so many have two. */
const MOST_NUMBERS = 12;

/** Returns the choices of which a smaller rank is better, those of one rank in their order. */
function ranked(choices: readonly number[], rank: (at: number) => number): number[] {
  const ranks = new Map(choices.map((at) => [at, rank(at)]));
  return [...choices].sort((a, b) => ranks.get(a)! - ranks.get(b)!);
}

/** Returns the columns that a table has of a kind. */
function where(table: ResultTable, suits: (at: number) => boolean): number[] {
  return table.columns.flatMap((_, at) => (suits(at) ? [at] : []));
}

/** Returns true for dates that most rows have, and that differ. */
function isTimeAxis({ columns, rows }: ResultTable, at: number): boolean {
  if (columns[at]!.type !== 'date') return false;
  const dates = rows.flatMap((cells) => (typeof cells[at] === 'string' ? [momentOf(cells[at])] : []));
  return dates.length >= rows.length / 2 && new Set(dates).size > 1;
}

/** Returns the dates that are an axis: those of what happened, the most different ones first. */
const timesOf = (table: ResultTable) =>
  ranked(
    where(table, (at) => isTimeAxis(table, at) && !isBirth(table.columns[at]!)),
    (at) => -differentIn(table, at),
  );
const birthsOf = (table: ResultTable) =>
  where(table, (at) => isTimeAxis(table, at) && isBirth(table.columns[at]!));
const periodsOf = (table: ResultTable) =>
  where(table, (at) => isOrdinal(table.columns[at]!) && differentIn(table, at) > 1);

/** Returns the texts that are an axis, the best first: of those with the same rank, the one with fewer values. */
function categoriesOf(table: ResultTable): number[] {
  const isTold = (at: number) => categoryRank(table.columns[at]!) !== undefined && differentIn(table, at) > 1;
  return ranked(
    where(table, (at) => isTold(at) && !isPeriod(table.columns[at]!)),
    (at) => categoryRank(table.columns[at]!)! * 1e6 + differentIn(table, at),
  );
}

/** Returns true if rows share the values of a column: a bar of each says something. */
function isShared(table: ResultTable, at: number): boolean {
  const [different, { length }] = [differentIn(table, at), table.rows];
  return different > 1 && (different <= MOST_VALUES ? different < length : different <= length / 2);
}

/** Ranks numbers: those that vary, and that are measured or counted. */
function measures(table: ResultTable, choices: readonly number[]): number[] {
  return ranked(choices, (at) => {
    const column = table.columns[at]!;
    const isNaming = isIdentifier(column) || isPeriod(column);
    return (isNaming ? 20 : 0) + (differentIn(table, at) > 1 ? 0 : 10) + measureRank(column);
  });
}

/** Ranks all columns as axes: the first two are those of a pivot. */
function axesOf(table: ResultTable): number[] {
  const categories = categoriesOf(table);
  const shared = categories.filter((at) => isShared(table, at));
  const all = table.columns.map((_, at) => at);
  const others = ranked(all, (at) => {
    const [column, different] = [table.columns[at]!, differentIn(table, at)];
    return (
      (isIdentifier(column) ? 4e6 : 0) +
      (column.type === 'number' ? 2e6 : 0) +
      (different > 1 ? different : 1e6)
    );
  });
  return [...new Set([...shared, ...periodsOf(table), ...timesOf(table), ...categories, ...others])];
}

/**
 * Returns the choice that a chart begins with.
 * @param kind undefined: the kind that says most
 * @returns undefined if no kind is given and none says more than the table
 */
export function firstChoice(table: ResultTable): ChartChoice | undefined;
export function firstChoice(table: ResultTable, kind: ChartKind): ChartChoice;
export function firstChoice(table: ResultTable, kind?: ChartKind): ChartChoice | undefined {
  return kind ? choiceOf(table, kind) : bestChoice(table);
}

function choiceOf(table: ResultTable, kind: ChartKind): ChartChoice {
  const choices = choicesFor(kind, table.columns);
  const of = measures(table, choices.of)[0];
  const axes = kind === 'time' ? [...timesOf(table), ...birthsOf(table)] : countAxesOf(table, axesOf(table));
  const by = axes.find((at) => at !== of && choices.by.includes(at));
  return { kind, by: by ?? choices.by.find((at) => at !== of) ?? choices.by[0]!, of };
}

function bestChoice(table: ResultTable): ChartChoice | undefined {
  if (table.rows.length < 2 || kindsFor(table.columns).length === 0) return undefined;
  const numbers = measures(table, choicesFor('average', table.columns).of);
  const varying = numbers.filter((at) => differentIn(table, at) > 1);
  const isOwn = isOfResources(table);
  // A number of a resource, such as that of its images, is part of its description.
  const isMeasure = (at: number) =>
    measureRank(table.columns[at]!) !== WEAK && !(isOwn && isCount(table.columns[at]!));
  const measured = varying.find(isMeasure);
  return (
    (measured === undefined ? undefined : choiceWith(table, measured)) ??
    counted(table) ??
    (varying[0] === undefined ? undefined : choiceWith(table, varying[0], true))
  );
}

/** @param isLast true if there is nothing better: numbers of several kinds are compared too */
function choiceWith(table: ResultTable, of: number, isLast = false): ChartChoice | undefined {
  const isAdded = isCount(table.columns[of]!);
  const inBars = (by: number): ChartChoice => {
    const choice = { kind: 'average', by, of } as const;
    return isAdded && !chartOf(table, choice).isOneRowEach ? { ...choice, kind: 'sum' } : choice;
  };
  const [date] = timesOf(table);
  if (date !== undefined) {
    if (isAdded && differentIn(table, date) < table.rows.length) return { kind: 'sum', by: date, of };
    if (isAdded || !isMixed(table)) return { kind: 'time', by: date, of };
    if (!isLast) return undefined;
  }
  const [axis] = [...periodsOf(table), ...categoriesOf(table)].filter((at) => at !== of);
  if (axis !== undefined) return inBars(axis);
  const [birth] = birthsOf(table);
  return birth === undefined ? undefined : { kind: 'time', by: birth, of };
}

/** Ranks the axes of counts: what rows are of, when they were, how many they have, and how old their patients are. */
function countAxesOf(table: ResultTable, others: readonly number[] = []): number[] {
  const shared = categoriesOf(table).filter((at) => isShared(table, at));
  const isNumber = (at: number) =>
    isCount(table.columns[at]!) && isShared(table, at) && differentIn(table, at) <= MOST_NUMBERS;
  const texts = where(table, (at) => table.columns[at]!.type === 'text' && !isIdentifier(table.columns[at]!));
  const best = [
    ...shared,
    ...periodsOf(table),
    ...timesOf(table),
    ...where(table, isNumber),
    ...birthsOf(table),
  ];
  return [...new Set([...best, ...texts.filter((at) => isShared(table, at)), ...others])];
}

/** Returns the counts that say something: some bar is of several rows. */
function counted(table: ResultTable): ChartChoice | undefined {
  const choices = countAxesOf(table).map((by): ChartChoice => ({ kind: 'count', by, of: undefined }));
  return choices.find((choice) => {
    const { marks } = chartOf(table, choice);
    return marks.length > 1 && marks.some(({ value }) => value > 1);
  });
}

/** Returns the pivot that a list begins with: its two best axes, and how many rows have both. */
export function firstPivot(table: ResultTable): PivotChoice {
  const numbers = where(table, (at) => table.columns[at]!.type === 'number');
  const of = measures(table, numbers)[0];
  const isSum = of !== undefined && isCount(table.columns[of]!) && !isOfResources(table);
  const [columns, rows = columns] = axesOf(table).filter((at) => !isSum || at !== of);
  // A list of counts that the server made has one row for each pair.
  return { rows: rows ?? 0, columns: columns ?? 0, measure: isSum ? 'sum' : 'count', of };
}
