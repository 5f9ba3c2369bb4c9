import type { SqlType } from './column-types.ts';
import { ExpressionError, ViewValueError } from './findings.ts';
import type { Evaluate, Scope } from './shapes.ts';
import { isEmpty, listOf, single, type Values } from './values.ts';

/** Rows of a view, made by steps that are linked once: each fills its columns, and goes on to the next step for each row. */

/** A column of a compiled view. */
export interface CompiledColumn {
  name: string;
  sqlType: SqlType;
  /** True when a value is a list. */
  collection: boolean;
  description: string | undefined;
  /** Place in the definition, for messages. */
  path: string;
}

/** Takes a row. The array is used again for the next one: its values are undefined, a value, or a list. */
export type RowSink = (row: readonly Values[]) => void;

/** Is told the place in the definition of a value that a view or a table cannot take. */
export type Refuse = (at: string) => void;

export interface CompiledView {
  /** Type of the resources of which it makes rows. */
  resource: string;
  columns: readonly CompiledColumn[];
  /**
   * Makes the rows of one resource; none for another type.
   * @param refused is told of each value that its column or condition cannot take, and takes it for none
   * @throws ViewValueError for such a value, where there is no `refused`
   */
  rows(resource: unknown, sink: RowSink, refused?: Refuse): void;
}

/** The resource whose rows are being made. There is one for each view: rows are made one after another. */
interface State {
  resource: unknown;
  /** By slot: the value of each `forEach`, and its place in its list. Slot 0 is the resource. */
  focus: unknown[];
  index: number[];
  row: Values[];
  sink: RowSink;
  refused: Refuse | undefined;
  /** Place that is being evaluated, for messages. */
  at: string;
}

type Step = (state: State) => void;

/** A part of a view. Its columns are known before the step after it. */
export interface Part {
  columns: readonly CompiledColumn[];
  /** @param offset of its first column in the row */
  link(offset: number, next: Step): Step;
}

/** Times that a path of `repeat` may lead on. */
const DEEPEST = 200;

const NOTHING: Part = { columns: [], link: (_, next) => next };

/** A loop: where it starts, and where it puts its values. */
export interface Loop {
  from: number;
  to: number;
  path: string;
}

const scopeOf = ({ resource, index }: State, slot: number): Scope => ({ resource, rowIndex: index[slot]! });

/** Takes a path for empty that has failed, in whatever way damaged data make it fail. @throws the error unless that is wanted */
function refuse({ refused, at }: State, error: unknown): undefined {
  if (!refused) throw error;
  refused(at);
}

/** Returns the values of a path that a loop is about. */
function valuesOf(state: State, run: Evaluate, focus: unknown, slot: number): readonly unknown[] {
  try {
    return listOf(run(focus, scopeOf(state, slot)));
  } catch (error) {
    return listOf(refuse(state, error));
  }
}

/** Joins parts: each row of one with each row of those after it. */
export function inSequence(parts: readonly Part[]): Part {
  const [only, ...others] = parts.filter((part) => part !== NOTHING);
  if (!only) return NOTHING;
  if (others.length === 0) return only;
  const rest = inSequence(others);
  return {
    columns: [...only.columns, ...rest.columns],
    link: (offset, next) => only.link(offset, rest.link(offset + only.columns.length, next)),
  };
}

/** Makes the part of columns that are taken from one slot. */
export function columnsOf(made: readonly { column: CompiledColumn; run: Evaluate }[], slot: number): Part {
  if (made.length === 0) return NOTHING;
  const columns = made.map(({ column }) => column);
  const link = (offset: number, next: Step): Step => {
    return (state) => {
      const focus = state.focus[slot];
      const scope = scopeOf(state, slot);
      for (let index = 0; index < made.length; index++) {
        const { column, run } = made[index]!;
        state.at = column.path;
        let values: Values;
        try {
          values = run(focus, scope);
          if (!column.collection) values = single(values);
        } catch (error) {
          values = refuse(state, error);
        }
        state.row[offset + index] = values;
      }
      next(state);
    };
  };
  return { columns, link };
}

/** Makes the part of several ways to fill the same columns, one after another. */
export function unionOf(parts: readonly Part[]): Part {
  const [first] = parts;
  if (!first) return NOTHING;
  const link = (offset: number, next: Step): Step => {
    const steps = parts.map((part) => part.link(offset, next));
    return (state) => steps.forEach((step) => step(state));
  };
  return { columns: first.columns, link };
}

/** Repeats a part for each value. @param orNull also once, with nothing, when there is no value */
export function forEach({ from, to, path }: Loop, run: Evaluate, orNull: boolean, body: Part): Part {
  const link = (offset: number, next: Step): Step => {
    const step = body.link(offset, next);
    return (state) => {
      state.at = path;
      const found = valuesOf(state, run, state.focus[from], from);
      const length = found.length === 0 && orNull ? 1 : found.length;
      for (let index = 0; index < length; index++) {
        state.focus[to] = found[index];
        state.index[to] = index;
        step(state);
      }
    };
  };
  return { columns: body.columns, link };
}

/** Repeats a part for the values of all paths, and for those that the paths lead to from there: in the document's order. */
export function repeat({ from, to, path }: Loop, paths: readonly Evaluate[], body: Part): Part {
  const link = (offset: number, next: Step): Step => {
    const step = body.link(offset, next);
    const visit = (state: State, focus: unknown, place: { index: number; depth: number }): void => {
      if (++place.depth > DEEPEST) throw new ExpressionError(`It leads on more than ${DEEPEST} times.`);
      for (const run of paths) {
        state.at = path;
        for (const value of valuesOf(state, run, focus, from)) {
          state.focus[to] = value;
          state.index[to] = place.index++;
          step(state);
          visit(state, value, place);
        }
      }
      place.depth--;
    };
    return (state) => visit(state, state.focus[from], { index: 0, depth: 0 });
  };
  return { columns: body.columns, link };
}

/** A condition of the whole view. */
export interface Condition {
  path: string;
  run: Evaluate;
}

function holds(values: Values): boolean {
  if (isEmpty(values)) return false;
  const value = single(values);
  if (typeof value !== 'boolean') throw new ExpressionError('The condition gives no boolean.');
  return value;
}

/** Links all parts. @param slots number of them */
export function viewOf(
  resource: string,
  part: Part,
  conditions: readonly Condition[],
  slots: number,
): CompiledView {
  const { columns } = part;
  const first = part.link(0, (state) => state.sink(state.row));
  const state: State = {
    resource: undefined,
    focus: Array.from({ length: slots }),
    index: Array.from({ length: slots }, () => 0),
    row: columns.map(() => undefined),
    sink: () => {},
    refused: undefined,
    at: '',
  };
  const isWanted = (): boolean =>
    conditions.every(({ path, run }) => {
      state.at = path;
      try {
        return holds(run(state.resource, scopeOf(state, 0)));
      } catch (error) {
        return refuse(state, error) ?? false;
      }
    });
  return {
    resource,
    columns,
    rows(given, sink, refused) {
      if ((given as { resourceType?: unknown }).resourceType !== resource) return;
      state.resource = state.focus[0] = given;
      state.sink = sink;
      state.refused = refused;
      try {
        if (isWanted()) first(state);
      } catch (error) {
        if (error instanceof ExpressionError) throw new ViewValueError(state.at, error.message);
        throw error;
      }
    },
  };
}
