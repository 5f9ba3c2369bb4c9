import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4';
import type { ViewDefinition, ViewSelect } from '../views/view-definition.ts';

type Row = Record<string, unknown>;

/** The values of a loop around a path, written as FHIRPath from the resource. */
interface Around {
  prefix: string;
  rowIndex: number;
  /** True for the row of a forEachOrNull without values. */
  isNothing: boolean;
}

/** Writes the two functions of SQL on FHIR that fhirpath.js does not have in those that it has. */
const plain = (path: string): string =>
  path.replaceAll('getResourceKey()', 'id').replaceAll(/getReferenceKey\((\w+)\)/g, (_, type: string) => {
    return `reference.where($this.startsWith('${type}/')).select(substring(${type.length + 1}))`;
  });

function evaluate(resource: object, path: string, { prefix, rowIndex }: Around): unknown[] {
  const own = plain(path).replaceAll('%rowIndex', String(rowIndex));
  const whole = prefix === '' ? own : `${prefix}.select(${own})`;
  return fhirpath.evaluate(structuredClone(resource), whole, {}, r4) as unknown[];
}

function rowsOf(resource: object, select: ViewSelect, around: Around): Row[] {
  const loop = select.forEach ?? select.forEachOrNull;
  const places = loop === undefined ? [around] : placesOf(resource, select, around);
  return places.flatMap((place) => {
    const columns = (select.column ?? []).map(({ name, path, collection }) => {
      const values = place.isNothing ? [] : evaluate(resource, path, place);
      if (values.length > 1 && !collection) throw new Error(`${name} has several values.`);
      return [name, collection ? values : (values[0] ?? null)];
    });
    const parts = (select.select ?? []).map((one) => rowsOf(resource, one, place));
    return product([[Object.fromEntries(columns) as Row], ...parts]);
  });
}

function placesOf(resource: object, { forEach, forEachOrNull }: ViewSelect, around: Around): Around[] {
  const path = forEach ?? forEachOrNull!;
  const count = around.isNothing ? 0 : evaluate(resource, path, around).length;
  const all = around.prefix === '' ? `(${plain(path)})` : `${around.prefix}.select(${plain(path)})`;
  const places = Array.from({ length: count }, (_, index) => {
    return { prefix: `${all}[${index}]`, rowIndex: index, isNothing: false };
  });
  if (count > 0 || forEach !== undefined) return places;
  return [{ prefix: '', rowIndex: 0, isNothing: true }];
}

const product = (parts: readonly Row[][]): Row[] =>
  parts.reduce((rows, part) => rows.flatMap((row) => part.map((other) => ({ ...row, ...other }))), [{}]);

/** Makes the rows of one resource without the compiler: each value is one expression of fhirpath.js over the resource. */
export function naiveRows({ select }: ViewDefinition, resource: object): Row[] {
  return product(select.map((one) => rowsOf(resource, one, { prefix: '', rowIndex: 0, isNothing: false })));
}
