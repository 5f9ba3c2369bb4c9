import type {
  DocumentNode,
  FieldNode,
  IntrospectionOptions,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import { getIntrospectionQuery, Kind, parse } from 'graphql';
import { fragmentsOf, type Fragments } from '../document/fragments.ts';

/** The fields of a selection, by name. */
type Fields = ReadonlyMap<string, Fields>;

/** More type wrappers than any tool asks for: `getIntrospectionQuery()` of graphql-js 16 asks for 9, earlier for 7. */
const MOST_WRAPPERS = 15;

/** Options with which common tools call `getIntrospectionQuery()`. */
const OPTIONS: readonly IntrospectionOptions[] = [
  // graphql-js, graphql-codegen, urql, GraphiQL.
  {},
  // GraphiQL with its two options.
  { schemaDescription: true, inputValueDeprecation: true },
  { descriptions: false },
];
/** The queries that tools send. The last is that of graphql-js before 16.10, which tools in other languages still send. */
const STANDARD: readonly string[] = [
  ...OPTIONS.map((options) => getIntrospectionQuery(options)),
  getIntrospectionQuery({ typeDepth: 7 }).replaceAll('{ name kind }', '{ name }'),
];

/** Recognises introspections that ask for no more than the introspection query of graphql-js with all its options. */
export class UsualIntrospection {
  readonly #whole: Fields;

  constructor() {
    const query = getIntrospectionQuery({
      descriptions: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      schemaDescription: true,
      inputValueDeprecation: true,
      experimentalDirectiveDeprecation: true,
      oneOf: true,
      typeDepth: MOST_WRAPPERS,
    });
    const document = parse(query, { noLocation: true });
    const [operation] = document.definitions as OperationDefinitionNode[];
    this.#whole = fieldsOf(operation!.selectionSet, fragmentsOf(document));
  }

  /** Returns the forms that tools send. The build prepares their answers. */
  standardForms(): string[] {
    return STANDARD.map((query) => {
      const document = parse(query, { noLocation: true });
      const [operation] = document.definitions as OperationDefinitionNode[];
      return this.formOf(document, operation!)!;
    });
  }

  /**
   * Writes a valid operation in one usual form: fragments unfolded, without names.
   * @returns undefined when the operation asks for anything but the schema, for a field twice or by an alias, or for
   * fields that the query of graphql-js does not ask for, such as the fields of the types of fields
   */
  formOf(document: DocumentNode, operation: OperationDefinitionNode): string | undefined {
    const fragments = fragmentsOf(document);
    if (operation.variableDefinitions?.length || operation.directives?.length) return undefined;
    const form = formOfSet(operation.selectionSet, this.#whole, fragments);
    return form?.includes('__schema') ? `{${form}}` : undefined;
  }
}

function fieldsOf(set: SelectionSetNode, fragments: Fragments): Fields {
  const fields = new Map<string, Fields>();
  for (const selection of unfolded(set, fragments) ?? []) {
    const { name, selectionSet } = selection;
    fields.set(name.value, selectionSet ? fieldsOf(selectionSet, fragments) : new Map());
  }
  return fields;
}

function formOfSet(set: SelectionSetNode, known: Fields, fragments: Fragments): string | undefined {
  const seen = new Set<string>();
  const forms: string[] = [];
  for (const field of unfolded(set, fragments) ?? [undefined]) {
    // Clients that add `__typename` to each selection have it both in a fragment and beside the fragment.
    if (field?.name.value === '__typename' && seen.has('__typename') && !field.alias) continue;
    const form = field && !seen.has(field.name.value) && formOfField(field, known, fragments);
    if (!form) return undefined;
    seen.add(field.name.value);
    forms.push(form);
  }
  return forms.join(' ');
}

function formOfField(
  { name: { value: name }, alias, directives, arguments: given = [], selectionSet }: FieldNode,
  known: Fields,
  fragments: Fragments,
): string | undefined {
  const inner = known.get(name) ?? (name === '__typename' ? new Map<string, Fields>() : undefined);
  if (!inner || alias || directives?.length) return undefined;
  const [argument] = given;
  const withDeprecated = argument?.value.kind === Kind.BOOLEAN && argument.value.value;
  if (argument && argument.value.kind !== Kind.BOOLEAN) return undefined;
  const start = withDeprecated ? `${name}(includeDeprecated:true)` : name;
  if (!selectionSet) return start;
  const form = formOfSet(selectionSet, inner, fragments);
  return form && `${start}{${form}}`;
}

/** Returns the fields of a selection with its fragments unfolded; undefined if a fragment has a directive. */
function unfolded(set: SelectionSetNode, fragments: Fragments): FieldNode[] | undefined {
  const fields: FieldNode[] = [];
  for (const selection of set.selections) {
    if (selection.kind === Kind.FIELD) {
      fields.push(selection);
      continue;
    }
    const fragment =
      selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
    const inner = fragment && unfolded(fragment.selectionSet, fragments);
    if (!inner || selection.directives?.length) return undefined;
    fields.push(...inner);
  }
  return fields;
}
