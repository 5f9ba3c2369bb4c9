import type { CompiledField, CompiledSelection, Text, TypeName } from '../executor/compiled.ts';
import type { Place } from '../executor/run.ts';
import { memberText, Parts } from '../executor/write.ts';
import { getNullableType, isListType } from 'graphql';

/** Columns by name: those of an object are beside each other, within it. */
export type Columns = ReadonlyMap<string, Column>;

/**
 * Undefined: one column, of a scalar or a list. Names: one column, of the one field that is selected in the objects of a list;
 * the names lead to it.
 */
type Column = Columns | readonly string[] | undefined;

/** Write cells for values in JSON. */
interface Cells {
  cellOf(json: string): string;
  /** @param path names down to the one field that is selected in the objects of a list */
  valuesOf(json: string, path: readonly string[]): string;
}

type Member = CompiledField | TypeName;

/**
 * Returns the columns of rows in the order of their selection. They depend on the request alone, never on data.
 * @param selections of one place: one for each type that may be there
 */
export function columnsOf(selections: readonly CompiledSelection[]): Columns {
  const members = new Map<string, Member[]>();
  for (const member of selections.flatMap(({ fields }): readonly Member[] => fields)) {
    members.set(member.name, [...(members.get(member.name) ?? []), member]);
  }
  return new Map(
    [...members].map(([name, all]): [string, Column] => {
      const composed = all.filter(isComposed);
      if (composed.length === 0) return [name, undefined];
      const inner = columnsOf(composed.flatMap((one) => one.selections));
      if (composed.some(isObject)) return [name, inner];
      const [path, ...others] = pathsOf(inner);
      return [name, others.length === 0 ? path?.split('.') : undefined];
    }),
  );
}

const isComposed = (member: Member): member is CompiledField =>
  'nodes' in member && member.selections.length > 0;

const isObject = (member: Member): member is CompiledField =>
  isComposed(member) && !isListType(getNullableType(member.type));

const isObjects = (inner: Column): inner is Columns => inner instanceof Map;

/** Returns the names of columns: paths such as `code.text`. */
export function pathsOf(columns: Columns): string[] {
  return [...columns].flatMap(([name, inner]) => {
    if (isObjects(inner)) return pathsOf(inner).map((path) => `${name}.${path}`);
    return [inner ? [name, ...inner].join('.') : name];
  });
}

/** Writes the cells of an object, separated by commas. */
type WriteBlock = (source: object, place: Place) => Text;

/**
 * Returns the function that prepares the cells of one of the selections behind columns.
 */
export function blockWriter(columns: Columns, cells: Cells) {
  return ({ fields }: CompiledSelection): WriteBlock => {
    const members = new Map(fields.map((field) => [field.name, field]));
    const blocks = [...columns].map(([name, inner]): WriteBlock => {
      const member = members.get(name);
      if (!member) return () => emptyCells(inner);
      if (isObjects(inner) && isObject(member)) return objectBlock(member, inner, cells);
      const cellOf = (json: string) =>
        isObjects(inner) || !inner ? cells.cellOf(json) : cells.valuesOf(json, inner);
      return (source, place) => {
        const json = memberText(member, source, place);
        return typeof json === 'string' ? cellOf(json) : json.then(cellOf);
      };
    });
    return (source, place) => {
      const parts = new Parts();
      for (let index = 0; index < blocks.length; index++) {
        if (index > 0) parts.add(',');
        parts.add(blocks[index]!(source, place));
      }
      return parts.text();
    };
  };
}

function objectBlock(field: CompiledField, columns: Columns, cells: Cells): WriteBlock {
  const writer = blockWriter(columns, cells);
  const empty = emptyCells(columns);
  const written = new Map(field.selections.map((selection) => [selection, writer(selection)]));
  const inCells: CompiledField = {
    ...field,
    write: (value, place) =>
      value === undefined || value === null
        ? empty
        : written.get(field.selectionOf(value, place))!(value, place),
  };
  return (source, place) => memberText(inCells, source, place);
}

const emptyCells = (inner: Column): string => (isObjects(inner) ? ','.repeat(pathsOf(inner).length - 1) : '');
