import type {
  ASTVisitor,
  DirectiveNode,
  DocumentNode,
  FieldNode,
  FragmentDefinitionNode,
  FragmentSpreadNode,
  GraphQLNamedType,
  GraphQLSchema,
  InlineFragmentNode,
  SelectionSetNode,
  ValidationContext,
  ValueNode,
} from 'graphql';
import { getNamedType, GraphQLError, Kind, Lexer, Source, TokenKind } from 'graphql';
import { Fault } from '../../../schema/fault/fault.ts';
import { isResourceType } from '../../../schema/fhir/tables.ts';
import type { DocumentLimits, Limits } from './limits.ts';
import { fragmentsOf, type Fragments } from './fragments.ts';

const OPENING: ReadonlySet<string> = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]);
const CLOSING: ReadonlySet<string> = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]);

/**
 * Refuses a document whose brackets are nested too deeply: the parser recurses for each, and would run out of stack.
 * Other errors of the text are left to the parser.
 * @throws Fault `invalid_request`
 */
export function requireShallow(text: string, { brackets, tokens }: Limits): void {
  // Most have fewer brackets at all: then their tokens are not read.
  if (!hasMore(text, brackets)) return;
  const lexer = new Lexer(new Source(text));
  let depth = 0;
  for (let count = 0; count < tokens; count++) {
    const kind = nextKind(lexer);
    if (kind === TokenKind.EOF) return;
    if (OPENING.has(kind)) depth++;
    else if (CLOSING.has(kind)) depth--;
    if (depth > brackets) {
      throw new Fault(
        'invalid_request',
        `The document has more than ${brackets} brackets within one another.`,
      );
    }
  }
}

/** Tells if a text has more opening brackets than a number, wherever they are. */
function hasMore(text: string, brackets: number): boolean {
  let count = 0;
  for (let index = 0; index < text.length && count <= brackets; index++) {
    if (OPENING.has(text.charAt(index))) count++;
  }
  return count > brackets;
}

function nextKind(lexer: Lexer): TokenKind {
  try {
    return lexer.advance().kind;
  } catch {
    return TokenKind.EOF;
  }
}

/** Names of the limits in error messages. */
const NAMES: Record<keyof DocumentLimits | 'schemas', string> = {
  definitions: 'operations and fragments',
  variables: 'variables',
  depth: 'levels',
  rootFields: 'root fields',
  fields: 'fields',
  resources: 'selections of resources',
  aliases: 'aliases',
  repetitions: 'pairs of fields with the same name in one selection',
  fragments: 'uses of fragments',
  fragmentDepth: 'fragments within one another',
  directives: 'directives',
  values: 'values of arguments',
  schemas: '__schema',
};

/**
 * Returns a validation rule that counts what a document holds. It runs before the other rules, although it is the last in
 * the list: only it looks at the whole document when validation enters it. If a limit is exceeded, validation visits
 * nothing below, because its time grows with the square of some of these numbers.
 */
export function documentLimits(limits: DocumentLimits): (context: ValidationContext) => ASTVisitor {
  return (context) => ({
    Document(document) {
      const exceeded = new DocumentCount(context.getSchema(), document, limits).exceeded();
      for (const [limit, what] of exceeded) {
        context.reportError(
          new GraphQLError(`The request has more than ${limit} ${what}: ask for less at a time.`),
        );
      }
      // null tells the visitor to skip the document.
      return exceeded.length > 0 ? null : undefined;
    },
  });
}

/** A selection set, with the type and the fragments around it. */
interface Place {
  set: SelectionSetNode;
  type: GraphQLNamedType | undefined;
  /** Names of the fragments around it; empty for an inline fragment. */
  within: readonly string[];
}

/** Limits that end the counting: beyond them it would take too long, or the stack would be too deep. */
const STOPS: ReadonlySet<keyof typeof NAMES> = new Set([
  ...(['depth', 'fields', 'fragments', 'fragmentDepth', 'directives', 'values'] as const),
]);

/** Counts a document with its fragments unfolded, up to the limits. */
class DocumentCount {
  readonly #schema: GraphQLSchema;
  readonly #document: DocumentNode;
  readonly #limits: DocumentLimits & { schemas: number };
  readonly #counts = new Map<string, number>();
  readonly #fragments: Fragments;
  readonly #used = new Set<string>();
  readonly #exceeded = new Set<keyof typeof NAMES>();
  #stopped = false;

  constructor(schema: GraphQLSchema, document: DocumentNode, limits: DocumentLimits) {
    this.#schema = schema;
    this.#document = document;
    this.#fragments = fragmentsOf(document);
    this.#limits = { ...limits, schemas: 1 };
  }

  /** Counts the document and returns the exceeded limits, each with its name. */
  exceeded(): [limit: number, what: string][] {
    this.#count();
    return [...this.#exceeded].map((what) => [this.#limits[what], NAMES[what]]);
  }

  #count(): void {
    const { definitions } = this.#document;
    this.#add('definitions', definitions.length);
    for (const definition of definitions) {
      if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
      this.#add('variables', definition.variableDefinitions?.length ?? 0);
      for (const { defaultValue } of definition.variableDefinitions ?? []) this.#value(defaultValue);
      this.#directives(definition.directives);
      this.#counts.delete('schemas');
      this.#counts.delete('rootFields');
      const type = this.#schema.getRootType(definition.operation) ?? undefined;
      this.#selection([{ set: definition.selectionSet, type, within: [] }], 1);
    }
    // Validation visits unused fragments too.
    for (const [name, fragment] of this.#fragments) {
      if (!this.#used.has(name)) this.#selection([this.#placeOf(fragment, [name])], 1);
    }
  }

  /** Counts one selection of the answer: sets whose fields are merged (GraphQL §5.3.2). */
  #selection(places: readonly Place[], depth: number): void {
    const fields = new Map<string, { count: number; inner: Place[] }>();
    const collect = ({ set, type, within }: Place): void => {
      for (const selection of set.selections) {
        if (this.#stopped) return;
        this.#directives(selection.directives);
        if (selection.kind === Kind.FIELD) {
          this.#field(selection, depth);
          if (this.#stopped) return;
          const name = (selection.alias ?? selection.name).value;
          const field = fields.get(name) ?? { count: 0, inner: [] };
          fields.set(name, field);
          this.#add('repetitions', field.count++);
          if (selection.selectionSet) {
            const inner = this.#typeOf(type, selection);
            if (inner && isResourceType(inner.name)) this.#add('resources', 1);
            field.inner.push({ set: selection.selectionSet, type: inner, within });
          }
        } else {
          const place = this.#fragment(selection, type, within);
          if (place) collect(place);
        }
      }
    };
    places.forEach(collect);
    for (const { inner } of fields.values()) if (inner.length > 0) this.#selection(inner, depth + 1);
  }

  #field({ name, alias, arguments: given = [] }: FieldNode, depth: number): void {
    this.#require('depth', depth);
    if (depth === 1) this.#add('rootFields', 1);
    this.#add('fields', 1);
    if (alias) this.#add('aliases', 1);
    if (name.value === '__schema') this.#add('schemas', 1);
    for (const { value } of given) this.#value(value);
  }

  /** Returns the place of a fragment; undefined if it does not exist or contains itself, which other rules refuse. */
  #fragment(
    selection: InlineFragmentNode | FragmentSpreadNode,
    type: GraphQLNamedType | undefined,
    within: readonly string[],
  ): Place | undefined {
    this.#add('fragments', 1);
    this.#require('fragmentDepth', within.length + 1);
    if (this.#stopped) return undefined;
    const isSpread = selection.kind === Kind.FRAGMENT_SPREAD;
    const name = isSpread ? selection.name.value : '';
    const fragment = isSpread ? this.#fragments.get(name) : selection;
    if (isSpread) this.#used.add(name);
    if (!fragment || (isSpread && within.includes(name))) return undefined;
    const place = this.#placeOf(fragment, [...within, name], type);
    if (place.type && place.type !== type && isResourceType(place.type.name)) this.#add('resources', 1);
    return place;
  }

  #placeOf(
    { selectionSet, typeCondition }: FragmentDefinitionNode | InlineFragmentNode,
    within: readonly string[],
    type?: GraphQLNamedType,
  ): Place {
    const condition = typeCondition && this.#schema.getType(typeCondition.name.value);
    return { set: selectionSet, type: condition ?? type, within };
  }

  #typeOf(parent: GraphQLNamedType | undefined, { name }: FieldNode): GraphQLNamedType | undefined {
    const field = parent && 'getFields' in parent ? parent.getFields()[name.value] : undefined;
    return field && getNamedType(field.type);
  }

  #directives(directives: readonly DirectiveNode[] = []): void {
    this.#add('directives', directives.length);
    for (const { arguments: given = [] } of directives) for (const { value } of given) this.#value(value);
  }

  /** Counts a value and those within it. `requireShallow` has limited their depth. */
  #value(value: ValueNode | undefined): void {
    if (!value || this.#stopped) return;
    this.#add('values', 1);
    if (value.kind === Kind.LIST) value.values.forEach((member) => this.#value(member));
    if (value.kind === Kind.OBJECT) value.fields.forEach((member) => this.#value(member.value));
  }

  #add(what: keyof typeof NAMES, more: number): void {
    const count = (this.#counts.get(what) ?? 0) + more;
    this.#counts.set(what, count);
    this.#require(what, count);
  }

  #require(what: keyof typeof NAMES, count: number): void {
    if (count <= this.#limits[what]) return;
    this.#exceeded.add(what);
    this.#stopped ||= STOPS.has(what);
  }
}
