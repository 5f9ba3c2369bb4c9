/** The lists of an answer, as tables: an answer of GraphQL is a tree, and people read, sort and count rows. */

import { isDecimal, primitiveText } from '../../../../schema/fhir/decimal.ts';
import type { Answer } from '../answer.ts';

/** A number that JavaScript would change, such as 1.10, is a marked text: read it with `textOf` and `numberOf`. */
export type Cell = string | number | boolean | null;

export type ColumnType = 'number' | 'date' | 'text' | 'yes/no';

export interface Column {
  /** Dotted; unique in its table. */
  name: string;
  type: ColumnType;
  /** True if cells have several values: see `valuesOf`. */
  several?: boolean;
}

/** A field on the way from the root of the answer to a list. */
export interface Step {
  field: string;
  isList: boolean;
}

export interface ResultList {
  /** Empty for the whole answer as one row. */
  steps: readonly Step[];
  /** Number of its rows. */
  count: number;
}

export interface ResultTable {
  columns: readonly Column[];
  /** As many cells as there are columns; null where the answer has no value. */
  rows: readonly (readonly Cell[])[];
}

type Node = Readonly<Record<string, unknown>>;
export type Data = Node | null | undefined;

/** Lists of a connection: its other fields are about the pages, the same in each row. */
const IN_CONNECTION = ['edges', 'facets'];
/** Between values of one cell. */
const BETWEEN = '; ';

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Returns what is read in a cell: numbers as the answer has them, nothing for null. */
export function textOf(cell: Cell): string {
  return cell === null ? '' : primitiveText(cell);
}

/** Returns the number in a cell; undefined for any other value. */
export function numberOf(cell: Cell): number | undefined {
  return isDecimal(cell) ? Number(primitiveText(cell)) : undefined;
}

/** Returns the values of a cell, each once. */
export function valuesOf(cell: Cell, { several }: Column): readonly Cell[] {
  return several && typeof cell === 'string' ? [...new Set(cell.split(BETWEEN))] : [cell];
}

/** Returns a table whose cells with several values have each of them once, and none that is empty. */
export function withEachOnce({ columns, rows }: ResultTable): ResultTable {
  const once = (cell: Cell, at: number) => {
    const column = columns[at]!;
    if (!column.several || typeof cell !== 'string') return cell;
    return valuesOf(cell, column).filter(Boolean).join(BETWEEN) || null;
  };
  return { columns, rows: rows.map((cells) => cells.map(once)) };
}

/**
 * Returns a table in which a concept without a text is named by its first display, where the answer has that. It is for
 * reading: files have what the answer has.
 */
export function withNames(table: ResultTable): ResultTable {
  const { columns, rows } = table;
  const displays = columns.map(({ name }) =>
    /(^|\.)text$/.test(name)
      ? columns.findIndex((other) => other.name === name.replace(/text$/, 'coding.display'))
      : -1,
  );
  if (displays.every((at) => at < 0)) return table;
  const named = (cell: Cell, at: number, cells: readonly Cell[]): Cell => {
    const display = cells[displays[at]!] ?? null;
    return cell ?? (textOf(display).split(BETWEEN).find(Boolean) || null);
  };
  return { columns, rows: rows.map((cells) => cells.map(named)) };
}

/** Returns true for data in which every value is null; an empty list is a value. */
export function isNothing(data: unknown): boolean {
  if (Array.isArray(data)) return data.length > 0 && data.every(isNothing);
  return isNode(data) ? Object.values(data).every(isNothing) : (data ?? null) === null;
}

/** Returns the dotted name of a list. */
export function nameOf({ steps }: ResultList): string {
  return steps.map(({ field }) => field).join('.') || 'Whole answer';
}

/**
 * Returns the lists of objects at any depth; a list within the objects of another one is merged over them. The last one
 * is the whole answer as one row.
 */
export function listsOf(data: Data): ResultList[] {
  if (!isNode(data)) return [];
  const found = new Map<string, ResultList>();
  const visit = (value: unknown, steps: readonly Step[]): void => {
    if (Array.isArray(value)) {
      const items: unknown[] = value.flat(Infinity);
      const list = steps.map((step, at) => (at === steps.length - 1 ? { ...step, isList: true } : step));
      if (items.every((item) => item === null || isNode(item))) {
        const key = list.map(({ field }) => field).join('\n');
        const known = found.get(key);
        if (known) known.count += items.length;
        else found.set(key, { steps: list, count: items.length });
      }
      for (const item of items) visit(item, list);
    } else if (isNode(value))
      for (const [field, inner] of Object.entries(value)) visit(inner, [...steps, { field, isList: false }]);
  };
  visit(data, []);
  return [...found.values(), { steps: [], count: 1 }];
}

/** Returns the lists among which there is a choice. @param columns of rows of SQL: they are the answer */
export function offeredLists(data: Data, columns: Answer['columns']): ResultList[] {
  const lists = listsOf(data);
  const isInLists =
    columns || (lists.length > 1 && lists.every(({ steps, count }) => !steps.length || !count));
  if (!isInLists) return lists;
  const whole = lists.at(-1)!;
  return columns || tableOf(data, whole).columns.length === 0 ? lists.filter((one) => one !== whole) : lists;
}

/** Returns the list to begin with: not within another one, and the longest of those. */
export function firstOf(lists: readonly ResultList[]): ResultList | undefined {
  const depth = ({ steps }: ResultList) => steps.filter(({ isList }) => isList).length;
  const filled = lists.filter(({ steps, count }) => count > 0 && steps.length > 0);
  return filled.sort((a, b) => depth(a) - depth(b) || b.count - a.count)[0] ?? lists.at(-1);
}

/**
 * Returns the rows of a list. Columns are the values of its objects with dotted names, then the simple fields of the
 * objects around them, named from the root of the answer; not those of a connection, such as `count`.
 */
export function tableOf(data: Data, { steps }: ResultList): ResultTable {
  const own = new Map<string, Cell[]>();
  const around = new Map<string, Cell[]>();
  const several = new Set<string>();
  let count = 0;
  const addRow = (item: unknown, parents: ReadonlyMap<string, Cell>) => {
    set(own, count, ownCells(item, several));
    set(around, count, parents);
    count++;
  };
  const walk = (value: unknown, at: number, parents: ReadonlyMap<string, Cell>): void => {
    if (Array.isArray(value)) return value.flat(Infinity).forEach((item) => walk(item, at, parents));
    const step = steps[at];
    if (!step) return addRow(value, parents);
    // A list that is null or was not asked for here has no rows.
    const inner = isNode(value) ? (value[step.field] ?? undefined) : undefined;
    if (!isNode(value) || inner === undefined) return;
    const prefix = steps.slice(0, at).map(({ field }) => `${field}.`);
    const beside = IN_CONNECTION.includes(step.field) ? [] : simpleCells(value, prefix.join(''), step.field);
    walk(inner, at + 1, new Map([...parents, ...beside]));
  };
  walk(data, 0, new Map());

  // A parent's field without any value may be a list that is not there.
  const filledColumns = [...around].filter(([, cells]) => cells.some((cell) => cell !== null));
  const names = new Set<string>();
  const all = [...withoutObjects(own), ...filledColumns].map(([name, cells]) => {
    cells.length = count;
    const filled = Array.from(cells, (cell) => cell ?? null);
    const unused = unusedName(name, names);
    const column = { name: unused, type: typeOf(filled), ...(several.has(unused) && { several: true }) };
    return { column, cells: filled };
  });
  const rows = Array.from({ length: count }, (_, row) => all.map(({ cells }) => cells[row]!));
  return { columns: all.map(({ column }) => column), rows };
}

function set(columns: Map<string, Cell[]>, row: number, cells: ReadonlyMap<string, Cell>): void {
  for (const [name, cell] of cells) {
    const column = columns.get(name);
    if (column) column[row] = cell;
    else columns.set(name, Object.assign([], { [row]: cell }));
  }
}

/** Leaves out columns of objects that are null in some rows: other rows have columns for their fields. */
function withoutObjects(columns: ReadonlyMap<string, Cell[]>): [string, Cell[]][] {
  const names = [...columns.keys()];
  const isFilled = ([name, cells]: [string, Cell[]]) =>
    cells.some((cell) => cell !== null) || !names.some((other) => other.startsWith(`${name}.`));
  return [...columns].filter(isFilled);
}

/**
 * Returns the values of an object by their dotted names; several values of a name are one text.
 * @param several gets the names that have several values
 */
function ownCells(item: unknown, several = new Set<string>()): Map<string, Cell> {
  const values = new Map<string, Cell[]>();
  const visit = (value: unknown, name: string): void => {
    if (Array.isArray(value)) for (const inner of value) visit(inner, name);
    else if (isNode(value))
      for (const [field, inner] of Object.entries(value)) visit(inner, name ? `${name}.${field}` : field);
    else if (name) {
      const known = values.get(name);
      if (known) known.push(value as Cell);
      else values.set(name, [value as Cell]);
    }
  };
  visit(item, '');
  for (const [name, { length }] of values) if (length > 1) several.add(name);
  return new Map([...values].map(([name, all]) => [name, cellOf(all)]));
}

/** An absent value keeps its place: the second code belongs to the second number. */
function cellOf(values: readonly Cell[]): Cell {
  if (values.length === 1) return values[0]!;
  return values.every((value) => value === null) ? null : values.map(textOf).join(BETWEEN);
}

/** Returns the values of an object around a list that are in no list of objects. */
function simpleCells(node: Node, prefix: string, except: string): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const [field, value] of Object.entries(node)) {
    if (field === except || (Array.isArray(value) && value.some((item) => typeof item === 'object')))
      continue;
    if (!isNode(value)) for (const [, cell] of ownCells({ [field]: value })) cells.set(prefix + field, cell);
    // At the root, an object is another question.
    else if (prefix)
      for (const [name, cell] of simpleCells(value, `${prefix}${field}.`, '')) cells.set(name, cell);
  }
  return cells;
}

/** Aliases can make the name of a parent's field the same as one in the list. */
function unusedName(name: string, used: Set<string>): string {
  let unused = name;
  for (let number = 2; used.has(unused); number++) unused = `${name} (${number})`;
  used.add(unused);
  return unused;
}

/** A date as FHIR and DICOM JSON of this gateway write it; at least a month, as years alone are numbers of any kind. */
const DATE = /^\d{4}-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?$/;
const YEAR = /^\d{4}$/;

function typeOf(cells: readonly Cell[]): ColumnType {
  const values = cells.filter((cell) => cell !== null);
  if (values.length === 0) return 'text';
  if (values.every(isDecimal)) return 'number';
  if (values.every((value) => typeof value === 'boolean')) return 'yes/no';
  const isDate = (value: Cell) => typeof value === 'string' && DATE.test(value);
  const isYear = (value: Cell) => typeof value === 'string' && YEAR.test(value);
  return values.some(isDate) && values.every((value) => isDate(value) || isYear(value)) ? 'date' : 'text';
}

/** Returns the moment at which a date begins, in milliseconds since 1970; one without a zone is UTC. */
export function momentOf(date: string): number {
  return Date.parse(date.includes('T') && !/(Z|[+-]\d\d:\d\d)$/.test(date) ? `${date}Z` : date);
}
