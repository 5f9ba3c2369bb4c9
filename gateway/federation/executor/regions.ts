import {
  getNamedType,
  isUnionType,
  print,
  visit,
  type OperationDefinitionNode,
  type VariableDefinitionNode,
} from 'graphql';
import type { ServiceName } from '../request/service-name.ts';
import type { CompiledField, CompiledOperation, CompiledSelection, Crossing } from './compiled.ts';
import { ADDED, KEY } from './crossing.ts';
import { fetchesOf, type Region } from './remote-fetches.ts';

/** The type of a value that may be of several. */
const TYPE_ADDED = `${ADDED}type`;

/** Returns the name of the type of a value that was fetched. */
export const fetchedType = (value: unknown): string | undefined =>
  (value as Record<string, string | undefined>)[TYPE_ADDED];

/**
 * Divides a compiled operation into regions. Its fields then take their values from what was fetched, by their names in the
 * answer; those of the root and the steps fetch.
 */
export function divideIntoRegions(
  { root }: CompiledOperation,
  { variableDefinitions = [] }: OperationDefinitionNode,
): void {
  new Division(variableDefinitions).root(root);
}

/** The parts of the document of a region. */
interface Asked {
  service: ServiceName;
  fields: readonly CompiledField[];
  /** Of the root of the subgraph. */
  selection: string;
  /** Definitions of variables besides those of the fields. */
  more?: readonly string[];
}

class Division {
  readonly #definitions: ReadonlyMap<string, string>;

  constructor(definitions: readonly VariableDefinitionNode[]) {
    this.#definitions = new Map(
      definitions.map((one) => [one.variable.name.value, print({ ...one, directives: [] })]),
    );
  }

  root({ fields, deferred }: CompiledSelection): void {
    const asked = fields.filter(isAsked);
    for (const service of new Set(asked.map((field) => field.service))) {
      const own = asked.filter((field) => field.service === service);
      const members = own.map((field) => this.#member(field));
      const region = this.#region({ service, fields: own, selection: members.join(' ') });
      for (const field of own) {
        const { name } = field;
        field.resolve = (_source, _arguments, context) =>
          fetchesOf(context)
            .root(region, context)
            .then((data) => (Object.hasOwn(data, name) ? data[name] : undefined));
      }
    }
    for (const { selection } of deferred) this.root(selection);
  }

  /** Writes a field, and makes it a property of what is fetched. */
  #member(field: CompiledField): string {
    const { name, fieldName, nodes, selections } = field;
    const given = nodes[0]!.arguments?.map(print).join(', ') ?? '';
    // Its own name in the schema is no longer needed: the value is there under its name in the answer.
    field.fieldName = name;
    field.resolve = undefined;
    const inner = isUnionType(getNamedType(field.type))
      ? ` {${TYPE_ADDED}: __typename ${selections.map((one) => this.#onType(one, field.service)).join(' ')}}`
      : selections.map((one) => ` {${this.#members(one, field.service)}}`).join('');
    return `${name}: ${fieldName}${given && `(${given})`}${inner}`;
  }

  #onType(selection: CompiledSelection, service: ServiceName): string {
    return `... on ${selection.type.name} {${this.#members(selection, service)}}`;
  }

  /** Writes the fields of an object that its subgraph gives, and what the steps from it need. */
  #members(selection: CompiledSelection, service: ServiceName): string {
    const steps = new Map<Crossing, CompiledField[]>();
    const members = this.#ownMembers(selection, service, steps);
    for (const { via } of [...steps.keys()]) if (via && !steps.has(via)) steps.set(via, []);
    if (steps.size > 0) members.push(added(KEY));
    for (const [crossing, behind] of steps) {
      const needed = [...steps.keys()].filter(({ via }) => via === crossing);
      if (!crossing.via) members.push(...crossing.required.map(({ name }) => added(name)));
      this.#step(
        crossing,
        behind,
        needed.flatMap(({ required }) => required.map(({ name }) => added(name))),
      );
    }
    return [...new Set(members)].join(' ') || '__typename';
  }

  #ownMembers(
    { fields, deferred }: CompiledSelection,
    service: ServiceName,
    steps: Map<Crossing, CompiledField[]>,
  ): string[] {
    const members: string[] = [];
    for (const field of fields.filter(isAsked)) {
      if (!field.crossing) members.push(this.#member(field));
      else steps.set(field.crossing, [...(steps.get(field.crossing) ?? []), field]);
    }
    // The part that comes later has the same object.
    for (const { selection } of deferred) members.push(this.#members(selection, service));
    return members;
  }

  /** @param needed what another step needs of the entity */
  #step(crossing: Crossing, behind: readonly CompiledField[], needed: readonly string[]): void {
    const { service, type } = crossing;
    const members = [...needed, ...behind.map((field) => this.#member(field))].join(' ') || '__typename';
    const selection = `_entities(representations: $representations) {... on ${type} {${members}}}`;
    const more = ['$representations: [_Any!]!'];
    const region = this.#region({ service, fields: behind, selection, more });
    crossing.keyOf = (source) => propertyIn(source, KEY);
    crossing.required = crossing.required.map(({ name }) => ({
      name,
      resolve: (...[holder, , context, { path }]) =>
        propertyIn(holder as object, name) ?? fetchesOf(context).requireRead(path, `${ADDED}${name}`),
    }));
    crossing.resolveReference = (reference, context, { path }) =>
      fetchesOf(context).entity(region, { reference, path, context });
  }

  #region({ service, fields, selection, more = [] }: Asked): Region {
    const variables = [...new Set(fields.flatMap((field) => variablesIn(field, service)))];
    const declared = [...more, ...variables.map((name) => this.#definitions.get(name))].join(', ');
    return { service, query: `query${declared && `(${declared})`} {${selection}}`, variables };
  }
}

/** Tells if a subgraph is asked for a field. */
const isAsked = (field: CompiledSelection['fields'][number]): field is CompiledField =>
  'nodes' in field && !field.isRefused;

const added = (name: string): string => `${ADDED}${name}: ${name}`;
const propertyIn = (source: object, name: string): unknown =>
  (source as Record<string, unknown>)[`${ADDED}${name}`];

/** Returns the variables in the arguments of a field and of all below it in the same region. */
function variablesIn(field: CompiledField, service: ServiceName): string[] {
  const names: string[] = [];
  for (const argument of field.nodes[0]!.arguments ?? [])
    visit(argument, { Variable: ({ name }) => void names.push(name.value) });
  const below = (selection: CompiledSelection): string[] => [
    ...selection.fields.filter(isAsked).flatMap((one) => (one.crossing ? [] : variablesIn(one, service))),
    ...selection.deferred.flatMap((part) => below(part.selection)),
  ];
  return [...names, ...field.selections.flatMap(below)];
}
