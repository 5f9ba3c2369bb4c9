import type { DocumentNode, GraphQLSchema, SelectionSetNode } from 'graphql';
import { getNamedType, isCompositeType, isObjectType, Kind, type GraphQLNamedType } from 'graphql';
import type { Access } from '../../../schema/access/access.ts';
import { missingScopes, type Interaction, type NeededScopes } from '../../../schema/access/scopes.ts';
import { ownText } from '../../../schema/process/texts.ts';
import type { ServiceName } from '../request/service-name.ts';

/** Scopes that a field or a type needs. Fields and types with the same need share one object. */
export interface Need {
  /** As `@requiresScopes` writes it. */
  text: string;
  scopes: NeededScopes;
  /** The subgraph that resolves the field; of a type, undefined. */
  service: ServiceName | undefined;
}

/** Fields and types that are refused to a caller, whose token lacks their scopes. */
export class Refusals {
  /** Equal for callers to whom the same is refused. */
  readonly key: string;
  readonly #scopes: FieldScopes;
  readonly #needs: ReadonlySet<Need>;

  constructor(scopes: FieldScopes, needs: ReadonlySet<Need>) {
    this.#scopes = scopes;
    this.#needs = needs;
    this.key = [...needs].map(({ text, service }) => `${text}${service}`).join();
  }

  /**
   * Returns what a caller lacks to have a field; undefined where the field is not refused.
   * @param isContained true for a resource within another one: its elements are those of the resource around it
   */
  ofField(type: string, field: string, isContained: boolean): Need | undefined {
    const need = this.#refused(`${type}.${field}`);
    return need && isContained && isOfElement(need) ? undefined : need;
  }

  /** Returns what a caller lacks to have values of a type of resource; undefined where they are not refused. */
  ofType(type: string): Need | undefined {
    return this.#refused(type);
  }

  #refused(name: string): Need | undefined {
    const need = this.#scopes.of(name);
    return need && this.#needs.has(need) ? need : undefined;
  }
}

/** The element with resources that have no existence of their own: they are seen by those who see the resource around them. */
export const CONTAINED = 'contained';

/** Tells if a need is that of an element of a resource, which any scope to see the resource covers. */
export const isOfElement = ({ scopes }: Need): boolean => scopes.length > 1;

/**
 * The scopes that the fields and types of the graph need (FG-31), as the supergraph declares them with `@requiresScopes`
 * of Apollo Federation. Its scopes are those of SMART App Launch 2.2 without a level: `Observation.s`.
 */
export class FieldScopes {
  /** By `Type.field`, and by type. */
  readonly #needs: ReadonlyMap<string, Need>;

  constructor(supergraphSdl: string) {
    this.#needs = needsIn(supergraphSdl);
  }

  /** @param name `Type.field`, or a type */
  of(name: string): Need | undefined {
    return this.#needs.get(name);
  }

  /** Returns those of the needs that a caller's scopes do not cover; undefined for none, as for most. */
  refusals(needs: readonly Need[], access: Access): Refusals | undefined {
    const refused = needs.filter(({ scopes }) => missingScopes(access, scopes).length > 0);
    return refused.length > 0 ? new Refusals(this, new Set(refused)) : undefined;
  }

  /** Returns what the fields of a valid document and their types need, each once. */
  needs({ document, schema }: { document: DocumentNode; schema: GraphQLSchema }): readonly Need[] {
    const found = new Set<Need>();
    const add = (name: string): void => {
      const need = this.of(name);
      if (need) found.add(need);
    };
    const collect = (set: SelectionSetNode, type: GraphQLNamedType | undefined): void => {
      if (isObjectType(type)) add(type.name);
      for (const selection of set.selections) {
        if (selection.kind === Kind.FRAGMENT_SPREAD) continue;
        if (selection.kind === Kind.INLINE_FRAGMENT) {
          const condition = selection.typeCondition?.name.value;
          collect(selection.selectionSet, condition === undefined ? type : schema.getType(condition));
          continue;
        }
        const name = selection.name.value;
        const field = isObjectType(type) ? type.getFields()[name] : undefined;
        if (!field || !isObjectType(type)) continue;
        add(`${type.name}.${name}`);
        const inner = getNamedType(field.type);
        if (selection.selectionSet && isCompositeType(inner)) collect(selection.selectionSet, inner);
      }
    };
    for (const definition of document.definitions) {
      if (definition.kind === Kind.OPERATION_DEFINITION)
        collect(definition.selectionSet, schema.getRootType(definition.operation) ?? undefined);
      if (definition.kind === Kind.FRAGMENT_DEFINITION)
        collect(definition.selectionSet, schema.getType(definition.typeCondition.name.value));
    }
    return [...found];
  }
}

/** A block string (GraphQL §2.9.4): in a printed schema, always a description. */
const DESCRIPTION = /"""(?:\\"""|[^])*?"""/g;
/** A type, a field of it, the subgraph that has the field, and the scopes, in the order in which a supergraph has them. */
const PARTS =
  /^type (\w+)|^ {2}(\w+)(?=[(:])|@join__field\(graph: (\w+)|@requiresScopes\(scopes: (\[\[.*?\]\])\)/gm;

/** Reads the directives of a supergraph as Apollo prints it. A parser would take ten times as long, and more memory. */
function needsIn(supergraphSdl: string): ReadonlyMap<string, Need> {
  const needs = new Map<string, Need>();
  const known = new Map<string, Need>();
  let type: string | undefined;
  let field: string | undefined;
  let service: string | undefined;
  for (const [, ofType, ofField, graph, text] of supergraphSdl.replace(DESCRIPTION, '').matchAll(PARTS)) {
    if (ofType !== undefined) [type, field, service] = [ofType, undefined, undefined];
    else if (ofField !== undefined) [field, service] = [ofField, undefined];
    else if (graph !== undefined) service = graph.toLowerCase();
    // Before the first type, the directive is defined.
    else if (text !== undefined && type !== undefined) {
      const key = `${text}${service}`;
      const need = known.get(key) ?? needOf(text, service as ServiceName);
      known.set(key, need);
      needs.set(ownText(field === undefined ? type : `${type}.${field}`), need);
    }
  }
  return needs;
}

function needOf(text: string, service: ServiceName): Need {
  return { text: ownText(text), scopes: scopesOf(text), service };
}

function scopesOf(text: string): NeededScopes {
  return (JSON.parse(text) as string[][]).map((all) =>
    all.map((scope) => {
      const [type = '', interaction = ''] = scope.split('.');
      return { type, interaction: interaction as Interaction };
    }),
  );
}
