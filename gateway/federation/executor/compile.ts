import type {
  FieldNode,
  GraphQLField,
  GraphQLObjectType,
  GraphQLOutputType,
  GraphQLUnionType,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import {
  getArgumentValues,
  getNullableType,
  GraphQLError,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from 'graphql';
import type { RequestScope } from '../request/request-scope.ts';
import { CONTAINED, type Need, type Refusals } from '../scopes/field-scopes.ts';
import { refusalOf, refuseField } from '../scopes/refuse-field.ts';
import type { ServiceName } from '../request/service-name.ts';
import { collectFields, type CollectedFrom } from '../document/collect-fields.ts';
import { hasVariable } from '../document/shape.ts';
import type {
  CompiledField,
  CompiledOperation,
  CompiledSelection,
  Crossing,
  DeferredFragment,
  Resolver,
  TypeName,
  Write,
} from './compiled.ts';
import {
  ADDED,
  crossingTo,
  declaredField,
  KEY,
  ownField,
  textOfCrossing,
  type SubgraphSchemas,
} from './crossing.ts';
import type { TextMemory } from './kept-texts.ts';
import type { SharedFields } from './shared-fields.ts';
import { leafWriter, quoted } from './leaf-text.ts';
import { isPureField, keepingTexts } from './pure-selections.ts';
import { divideIntoRegions, fetchedType } from './regions.ts';
import { listWriter, objectText, orNull, required } from './write.ts';

interface Source extends CollectedFrom {
  subgraphs: SubgraphSchemas;
  /** True if the subgraphs are other processes. */
  isRemote?: boolean;
  texts: TextMemory;
  /** Undefined where fields are changed after they are compiled. */
  shared?: SharedFields | undefined;
  /** Undefined: nothing is refused. */
  refusals?: Refusals | undefined;
}

/** The origin of an object. */
interface Origin {
  /** The subgraph that gives it; undefined for the root. */
  from: ServiceName | undefined;
  /** True for a resource in the element `contained` of another one. */
  isContained: boolean;
}

/** The object around a field. */
interface Around extends Origin {
  type: GraphQLObjectType;
  crossings: Map<string, Crossing>;
}

/** Facts with which the values of a field are written. */
interface Within {
  field: CompiledField;
  sets: readonly SelectionSetNode[];
  service: ServiceName;
}

/**
 * Compiles an operation: each field with the resolver of the subgraph that has it, and with the step to the other subgraph
 * where one is needed (GraphQL §6.3, CollectFields is done here). A field that is refused is only an error: nothing is asked
 * for it, not even what leads to it (FG-31).
 * @returns undefined for an operation that is not compiled: it introspects, or a field is of no subgraph
 */
export function compile(source: Source, operation: OperationDefinitionNode): CompiledOperation | undefined {
  const compiler = new Compiler(source);
  const query = source.schema.getQueryType();
  const root = query && compiler.selection(query, [operation.selectionSet]);
  if (!root) return undefined;
  const { services, fields } = compiler;
  const compiled = { root, services, fields, fragments: Object.fromEntries(source.fragments) };
  if (source.isRemote) divideIntoRegions(compiled, operation);
  return compiled;
}

class Compiler {
  readonly services = new Set<ServiceName>();
  fields = 0;
  readonly #source: Source;
  readonly #names: readonly ServiceName[];

  constructor(source: Source) {
    this.#source = source;
    this.#names = Object.keys(source.subgraphs) as ServiceName[];
  }

  /** @param origin where the objects come from; of the root, nowhere */
  selection(
    type: GraphQLObjectType,
    sets: readonly SelectionSetNode[],
    origin: Origin = { from: undefined, isContained: false },
  ): CompiledSelection | undefined {
    const crossings = this.#source.shared?.crossings ?? new Map<string, Crossing>();
    const around: Around = { ...origin, type, crossings };
    const collected = collectFields(this.#source, type, sets);
    const fields: (CompiledField | TypeName)[] = [];
    for (const [name, nodes] of collected.fields) {
      // A client's name would take the place of what a step needs.
      if (this.#source.isRemote && name.startsWith(ADDED)) return undefined;
      const field =
        nodes[0]!.name.value === '__typename'
          ? { name, key: `${quoted(name)}:`, text: quoted(type.name) }
          : this.#sharedField(around, name, nodes);
      if (!field) return undefined;
      fields.push(field);
      this.fields++;
    }
    const deferred: DeferredFragment[] = [];
    for (const { label, set } of collected.deferred) {
      const selection = this.selection(type, [set], origin);
      if (!selection) return undefined;
      deferred.push({ label, selection });
    }
    const isPure = deferred.length === 0 && fields.every(isPureField);
    return keepingTexts({ type, fields, deferred, isPure, kept: undefined }, this.#source.texts);
  }

  /** Returns a field with a selection as another document has compiled it. */
  #sharedField(around: Around, name: string, nodes: readonly FieldNode[]): CompiledField | undefined {
    const { shared, fragments, refusals } = this.#source;
    if (!shared || !nodes[0]!.selectionSet) return this.#field(around, name, nodes);
    const { type, from: service, isContained } = around;
    const from = `${type.name} ${service} ${isContained} ${refusals?.key}`;
    const found = shared.of({ nodes, fragments, from }, () => {
      const alone = new Compiler(this.#source);
      const field = alone.#field(around, name, nodes);
      return field && { field, services: alone.services, fields: alone.fields };
    });
    for (const service of found?.services ?? []) this.services.add(service);
    this.fields += found?.fields ?? 0;
    return found?.field;
  }

  #field(around: Around, name: string, nodes: readonly FieldNode[]): CompiledField | undefined {
    const [node] = nodes as [FieldNode];
    const { type: parent, from, isContained } = around;
    const fieldName = node.name.value;
    const definition = parent.getFields()[fieldName];
    if (!definition) return undefined;
    const refused = this.#source.refusals?.ofField(parent.name, fieldName, isContained);
    const refusing = refused?.service && { service: refused.service, crossing: undefined };
    const owner = refusing ?? this.#owner(around, fieldName);
    if (!owner) return undefined;
    const { service, crossing } = owner;
    const declared = declaredField(this.#source.subgraphs[service], parent.name, fieldName);
    const { argumentsIn, takesVariables } = argumentsOf(definition, node);
    // One literal: a new document waits for each of its fields.
    const field: CompiledField = {
      name,
      key: `${quoted(name)}:`,
      fieldName,
      nodes,
      parent,
      type: definition.type,
      argumentsIn,
      takesVariables,
      isNonNull: isNonNullType(definition.type),
      isLeaf: isLeafType(getNullableType(definition.type)),
      service,
      crossing,
      resolve: refusing ? refusalResolver(refused, parent) : (declared!.resolve as Resolver | undefined),
      isRefused: refusing !== undefined,
      write: unwritten,
      selections: [],
      selectionOf: noSelection,
      keepsList: false,
    };
    if (refusing) return field;
    this.services.add(service);
    if (from) this.services.add(from);
    const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
    const write = this.#writer(definition.type, { field, sets, service });
    if (!write) return undefined;
    field.write = write;
    return field;
  }

  #owner(
    { type, from, crossings }: Around,
    field: string,
  ): { service: ServiceName; crossing: Crossing | undefined } | undefined {
    const { subgraphs } = this.#source;
    const [only, ...more] = this.#names;
    // The other subgraph's fields that a field needs come with the object.
    if (more.length === 0)
      return declaredField(subgraphs[only!], type.name, field) && { service: only!, crossing: undefined };
    if (from !== undefined && ownField(subgraphs[from], type.name, field)) {
      return { service: from, crossing: undefined };
    }
    const others = this.#names.filter((name) => name !== from);
    const service = [...others, ...(from ? [from] : [])].find((name) =>
      declaredField(subgraphs[name], type.name, field),
    );
    if (!service) return undefined;
    if (from === undefined) return { service, crossing: undefined };
    // Fields that need the same of an object share one step.
    const shared = (crossing: Crossing | undefined): Crossing | undefined => {
      if (!crossing) return undefined;
      const key = textOfCrossing(crossing);
      const known = crossings.get(key) ?? crossing;
      crossings.set(key, known);
      return known;
    };
    const around = { subgraphs, type: type.name, isRemote: this.#source.isRemote ?? false };
    if (service !== from)
      return { service, crossing: shared(crossingTo(service, { ...around, from, field })) };
    // The field needs fields of the other subgraph: there and back.
    const [other] = others as [ServiceName];
    this.services.add(other);
    const via = shared(crossingTo(other, { ...around, from, field: KEY }));
    const back = crossingTo(service, { ...around, from: other, field });
    return { service, crossing: shared(back && { ...back, via }) };
  }

  /** Returns the function that writes the values of a type; undefined where a selection is not compiled. */
  #writer(type: GraphQLOutputType, within: Within): Write | undefined {
    const { field } = within;
    if (isNonNullType(type)) {
      const write = this.#writer(type.ofType as GraphQLOutputType, within);
      return write && required(write, field);
    }
    if (isListType(type)) {
      const item = type.ofType as GraphQLOutputType;
      const write = this.#writer(item, within);
      return (
        write &&
        orNull(listWriter(write, { field, itemIsNonNull: isNonNullType(item), texts: this.#source.texts }))
      );
    }
    if (isLeafType(type)) {
      const write = leafWriter(type);
      return (value) => (value === undefined || value === null ? 'null' : write(value));
    }
    if (isObjectType(type)) return this.#objectWriter(type, within);
    return isUnionType(type) ? this.#unionWriter(type, within) : undefined;
  }

  #objectWriter(type: GraphQLObjectType, within: Within): Write | undefined {
    const selection = this.#selectionIn(type, within);
    if (!selection) return undefined;
    const { field } = within;
    field.selections = [selection];
    field.selectionOf = () => selection;
    const refused = this.#refusedType(type, field);
    return orNull((value, place) => {
      if (refused) throw refusalOf(refused, requestOf(place.run.context).access);
      return objectText(selection, value as object, place);
    });
  }

  #unionWriter(union: GraphQLUnionType, within: Within): Write | undefined {
    const { field, service } = within;
    const { isRemote, subgraphs } = this.#source;
    const { resolveType } = isRemote
      ? { resolveType: fetchedType }
      : (subgraphs[service].getType(union.name) as GraphQLUnionType);
    const selections = new Map<string, CompiledSelection>();
    const refused = new Map<string, Need>();
    for (const member of union.getTypes()) {
      const selection = this.#selectionIn(member, within);
      if (!selection) return undefined;
      selections.set(member.name, selection);
      const need = this.#refusedType(member, field);
      if (need) refused.set(member.name, need);
    }
    field.selections = [...selections.values()];
    field.selectionOf = (value, place) => {
      const { run } = place;
      const name = resolveType?.(value, run.context, run.infoOf(field, place), union) as string | undefined;
      const selection = selections.get(name ?? '');
      if (!selection) throw new GraphQLError(`The value is of no type that ${union.name} has.`);
      const need = refused.get(selection.type.name);
      if (need) throw refusalOf(need, requestOf(run.context).access);
      return selection;
    };
    return orNull((value, place) => objectText(field.selectionOf(value, place), value as object, place));
  }

  #selectionIn(type: GraphQLObjectType, { field, service, sets }: Within): CompiledSelection | undefined {
    return this.selection(type, sets, { from: service, isContained: field.fieldName === CONTAINED });
  }

  /** Returns why values of a type are refused. */
  #refusedType({ name }: GraphQLObjectType, { fieldName }: CompiledField): Need | undefined {
    return fieldName === CONTAINED ? undefined : this.#source.refusals?.ofType(name);
  }
}

/** Returns how a field gets its arguments: once for all executions where no variable is among them. */
function argumentsOf(
  definition: GraphQLField<unknown, unknown>,
  node: FieldNode,
): Pick<CompiledField, 'argumentsIn' | 'takesVariables'> {
  const takesVariables = node.arguments?.some(({ value }) => hasVariable(value)) ?? false;
  let kept: Record<string, unknown> | undefined;
  return {
    takesVariables,
    argumentsIn(variables) {
      const values = kept ?? Object.freeze(getArgumentValues(definition, node, variables));
      if (!takesVariables) kept = values;
      return values;
    },
  };
}

/** Returns the resolver of a refused field. */
function refusalResolver(need: Need, { name: parent }: GraphQLObjectType): Resolver {
  return (source, args, context) => {
    throw refuseField(requestOf(context), { need, parent, source, args });
  };
}

/** Returns the request of an execution, which is in the context of its resolvers. */
const requestOf = (context: object): RequestScope => (context as { request: RequestScope }).request;

const unwritten: Write = () => 'null';
const noSelection = (): never => {
  throw new Error('A scalar has no selection.');
};
