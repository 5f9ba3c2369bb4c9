/** The tables that SQL reads, as the ViewDefinitions of the server describe them. */

export interface SqlTable {
  name: string;
  description: string;
  columns: readonly SqlColumn[];
}

export interface SqlColumn {
  name: string;
  /** FHIR type; empty where the view gives none. */
  type: string;
  description: string;
}

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const nodesOf = (value: unknown): Node[] => (Array.isArray(value) ? value.filter(isNode) : []);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Returns the tables of a Bundle of ViewDefinitions, by name. */
export function tablesOf(bundle: unknown): SqlTable[] {
  const views = nodesOf(isNode(bundle) ? bundle['entry'] : undefined)
    .map(({ resource }) => resource)
    .filter((one): one is Node => isNode(one) && one['resourceType'] === 'ViewDefinition');
  const tables = views.map((view): SqlTable => ({
    name: textOf(view['name']),
    description: textOf(view['description']) || textOf(view['title']),
    columns: columnsOf(view['select']),
  }));
  return tables.filter(({ name }) => name !== '').sort((a, b) => a.name.localeCompare(b.name));
}

/** Returns columns in their order. The parts of a union have the same ones (SQL on FHIR, ViewDefinition.select.unionAll). */
function columnsOf(select: unknown): SqlColumn[] {
  return nodesOf(select).flatMap((part) => [
    ...nodesOf(part['column']).map((column): SqlColumn => ({
      name: textOf(column['name']),
      type: textOf(column['type']) + (column['collection'] === true ? '[]' : ''),
      description: textOf(column['description']),
    })),
    ...columnsOf(part['select']),
    ...columnsOf(nodesOf(part['unionAll']).slice(0, 1)),
  ]);
}
