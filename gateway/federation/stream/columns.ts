import type { CompiledField, CompiledSelection, Text, TypeName } from '../executor/compiled.ts';
import type { Place } from '../executor/run.ts';
import { memberText, Parts } from '../executor/write.ts';
import { getNullableType, isListType } from 'graphql';

/** Columns by name: those of an object are beside each other, within it. Undefined: one column, of a scalar or a list. */
export type Columns = ReadonlyMap<string, Columns | undefined>;

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
    [...members].map(([name, all]) => {
      const objects = all.filter(isObject);
      return [name, objects.length > 0 ? columnsOf(objects.flatMap((one) => one.selections)) : undefined];
    }),
  );
}

const isObject = (member: Member): member is CompiledField =>
  'nodes' in member && member.selections.length > 0 && !isListType(getNullableType(member.type));

/** Returns the names of columns: paths such as `code.text`. */
export function pathsOf(columns: Columns): string[] {
  return [...columns].flatMap(([name, inner]) =>
    inner ? pathsOf(inner).map((path) => `${name}.${path}`) : [name],
  );
}

/** Writes the cells of an object, separated by commas. */
type WriteBlock = (source: object, place: Place) => Text;

/**
 * Returns the function that prepares the cells of one of the selections behind columns.
 * @param cellOf returns the cell for a value in JSON
 */
export function blockWriter(columns: Columns, cellOf: (json: string) => string) {
  return ({ fields }: CompiledSelection): WriteBlock => {
    const members = new Map(fields.map((field) => [field.name, field]));
    const blocks = [...columns].map(([name, inner]): WriteBlock => {
      const member = members.get(name);
      if (!member) return () => emptyCells(inner);
      if (inner && isObject(member)) return objectBlock(member, inner, cellOf);
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

function objectBlock(field: CompiledField, columns: Columns, cellOf: (json: string) => string): WriteBlock {
  const writer = blockWriter(columns, cellOf);
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

const emptyCells = (columns: Columns | undefined): string =>
  columns ? ','.repeat(pathsOf(columns).length - 1) : '';
