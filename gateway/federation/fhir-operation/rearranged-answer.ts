import type {
  DocumentNode,
  FieldNode,
  GraphQLNamedType,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import { getNamedType, isAbstractType, isInterfaceType, isObjectType, Kind } from 'graphql';
import { Fault } from '../../../schema/fault/fault.ts';
import { primitiveText } from '../../../schema/fhir/decimal.ts';
import { fieldsOf } from '../../../schema/fhir/tables.ts';
import { fragmentsOf, type Fragments } from '../document/fragments.ts';
import type { DataDirectives } from './data-directives.ts';
import { OutputObject } from './output-object.ts';

type Data = Readonly<Record<string, unknown>>;

/** Characters of all suffixes of one name. */
const LONGEST_SUFFIX = 256;

/** A field of the answer: all places of the document that select it (GraphQL §6.3.2). */
interface Field {
  /** Its name in the answer. */
  key: string;
  nodes: FieldNode[];
  directives: DataDirectives | undefined;
  type: GraphQLNamedType | undefined;
  /** Its type in FHIR, as far as it is known. */
  fhirType: string;
  /** The fields in it, by the type of the object. */
  inner: Map<string, readonly Field[]>;
}

/** The object into which fields are written. */
interface Place {
  output: OutputObject;
  /** True below `@flatten`: values of several objects come together under one name. */
  collates: boolean;
  /** True below a repeating element with `@flatten`: all names become lists. */
  lists: boolean;
  /** The suffix that `@slice` appends to names. */
  suffix: string;
}

/**
 * Rearranges the data of an answer as the data flattening directives say (FHIR R4 §3.2.0.6). At each field, in this order:
 * the arguments of the field have chosen its items; `@first` takes the first; `@slice` appends a suffix to the name for
 * each; `@flatten` puts the fields of each item in the place of the field; `@singleton` makes one value of the list.
 */
export class RearrangedAnswer {
  readonly #schema: GraphQLSchema;
  readonly #directives: ReadonlyMap<FieldNode, DataDirectives>;
  readonly #fragments: Fragments;

  /** @param document the valid document with its directives */
  constructor(
    schema: GraphQLSchema,
    document: DocumentNode,
    directives: ReadonlyMap<FieldNode, DataDirectives>,
  ) {
    this.#schema = schema;
    this.#directives = directives;
    this.#fragments = fragmentsOf(document);
  }

  /** @throws Fault `invalid_request` for values that do not fit into one name */
  data({ selectionSet }: OperationDefinitionNode, data: Data): Record<string, unknown> {
    const query = this.#schema.getQueryType() ?? undefined;
    return this.#object(this.#fields([selectionSet], query), data);
  }

  #object(fields: readonly Field[], source: Data): Record<string, unknown> {
    const output = new OutputObject();
    this.#write(fields, source, { output, collates: false, lists: false, suffix: '' });
    return output.value();
  }

  #write(fields: readonly Field[], source: Data, place: Place): void {
    for (const field of fields) {
      // A field that @include leaves out is not there.
      if (!Object.hasOwn(source, field.key)) continue;
      const value = source[field.key];
      if (field.directives || place.collates) this.#rearrange(field, value, place);
      else place.output.set(field.key, field.fhirType, this.#completed(field, value));
    }
  }

  #rearrange(field: Field, value: unknown, place: Place): void {
    const { output } = place;
    const { flatten = false, first = false, singleton = false } = field.directives ?? {};
    const isList = Array.isArray(value);
    const all = (isList ? (value as unknown[]) : [value]).filter((item) => item !== null);
    const items = first ? all.slice(0, 1) : all;
    const lists = isList || place.lists;
    const kind = { name: field.key, fhirType: field.fhirType, isList: lists, isSingleton: singleton };
    const isSliced = field.directives?.slice !== undefined;
    // Below @flatten, a name without values is left out; elsewhere GraphQL's null or empty list stays.
    if (items.length === 0 && !flatten && !place.collates && !isSliced) {
      output.set(field.key, field.fhirType, singleton || value === null ? null : []);
    }
    for (const [index, item] of items.entries()) {
      const suffix = place.suffix + suffixOf(field, item, index);
      if (suffix.length > LONGEST_SUFFIX) {
        throw new Fault(
          'invalid_request',
          `The suffixes of @slice at ${field.key} have more than ${LONGEST_SUFFIX} characters.`,
        );
      }
      if (!flatten) output.add(field.key + suffix, kind, [this.#completed(field, item)]);
      else this.#write(this.#fieldsOf(field, item), item as Data, { output, collates: true, lists, suffix });
    }
  }

  /** Returns a value of the answer with all that is in it rearranged. */
  #completed(field: Field, value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#completed(field, item));
    const isObject = typeof value === 'object' && value !== null && field.nodes[0]?.selectionSet;
    return isObject ? this.#object(this.#fieldsOf(field, value), value as Data) : value;
  }

  #fieldsOf(field: Field, item: unknown): readonly Field[] {
    const { __typename: named } = item as { __typename?: unknown };
    const type = isAbstractType(field.type) ? this.#schema.getType(String(named)) : field.type;
    const key = type?.name ?? '';
    let fields = field.inner.get(key);
    if (!fields) {
      const sets = field.nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
      field.inner.set(key, (fields = this.#fields(sets, type)));
    }
    return fields;
  }

  /** Collects the fields that selections take from an object of a type. */
  #fields(sets: readonly SelectionSetNode[], type: GraphQLNamedType | undefined): readonly Field[] {
    const fields = new Map<string, Field>();
    const collect = (set: SelectionSetNode): void => {
      for (const node of set.selections) {
        if (node.kind === Kind.FIELD) this.#addField(fields, node, type);
        else {
          const fragment = node.kind === Kind.FRAGMENT_SPREAD ? this.#fragments.get(node.name.value) : node;
          if (fragment && this.#applies(fragment.typeCondition?.name.value, type)) {
            collect(fragment.selectionSet);
          }
        }
      }
    };
    sets.forEach(collect);
    return [...fields.values()];
  }

  #addField(fields: Map<string, Field>, node: FieldNode, parent: GraphQLNamedType | undefined): void {
    const name = node.name.value;
    const key = (node.alias ?? node.name).value;
    const directives = this.#directives.get(node);
    const known = fields.get(key);
    if (known) {
      if (textOf(known.directives) !== textOf(directives)) {
        throw new Fault(
          'invalid_request',
          `${key} is selected twice with different directives: give one of them an alias.`,
        );
      }
      known.nodes.push(node);
      return;
    }
    const declared = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined;
    const type = declared && getNamedType(declared.type);
    const element = parent && fieldsOf(parent.name).find((one) => one.name === name);
    const fhirType = element?.type ?? type?.name ?? name;
    fields.set(key, { key, nodes: [node], directives, type, fhirType, inner: new Map() });
  }

  #applies(condition: string | undefined, type: GraphQLNamedType | undefined): boolean {
    if (condition === undefined || condition === type?.name) return true;
    const wanted = this.#schema.getType(condition);
    return isAbstractType(wanted) && isObjectType(type) && this.#schema.isSubType(wanted, type);
  }
}

/** Returns what `@slice` appends for an item: a dot and the values at its path. */
function suffixOf({ directives }: Field, item: unknown, index: number): string {
  const slice = directives?.slice;
  if (slice === undefined) return '';
  if (slice === 'index') return `.${index}`;
  const [, ...rest] = slice.path;
  let values = listed((item as Data)[slice.alias]);
  for (const name of rest) values = values.flatMap((value) => listed((value as Data)[name]));
  return `.${values.map(primitiveText).join(',')}`;
}

/** Returns what directives say; equal paths of `@slice` have different aliases. */
function textOf(directives: DataDirectives | undefined): string {
  return JSON.stringify(directives, (name, value: unknown) => (name === 'alias' ? undefined : value));
}

const listed = (value: unknown): unknown[] =>
  [value].flat().filter((item) => item !== null && item !== undefined);
