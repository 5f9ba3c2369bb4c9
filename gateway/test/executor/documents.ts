/** A generator of valid documents over the schema, which ask for what is in a record. */
import type {
  GraphQLArgument,
  GraphQLField,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLUnionType,
} from 'graphql';
import {
  getNamedType,
  isCompositeType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  parseValue,
  valueFromASTUntyped,
} from 'graphql';
import type { Random } from '../setup/random.ts';

/** Patient, ids and elements of which documents are made. */
export interface Wanted {
  /** Logical id of the patient. */
  patient: string;
  /** Ids by type. */
  ids: ReadonlyMap<string, readonly string[]>;
  /** Names of the elements that the record has, by type of resource; of parts of resources, below an empty name. */
  elements: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface Document {
  query: string;
  variables: Readonly<Record<string, unknown>>;
}

type AnyField = GraphQLField<unknown, unknown>;

/** The ends of the names of lists of resources. */
const REVERSE = /(List|Connection)$/;
/** Fields beyond FHIR's, and those that lead to resources. */
const JOINED =
  /^(ImagingStudyList|resource|priors|measurements|dose|sameAccession|timeline|trend|series|edges|facets|entries)$/;

/** Types with many resources, or with many joins: every second document begins with one of them. */
const RICH =
  /^(Patient|ImagingStudy|Observation|DiagnosticReport|Condition|Encounter|Procedure|ServiceRequest|Media|List)(List|Connection)?$/;

/** Literals of arguments. */
const LITERALS: Readonly<Record<string, readonly string[]>> = {
  _count: ['1', '2', '3'],
  _offset: ['0', '1'],
  _sort: ['["_id"]', '"-_lastUpdated"', '["-_id"]'],
  _filter: ['"status eq final"'],
  fhirpath: ['"id.exists()"', '"true"', '"text.exists() or code.exists()"'],
  category: ['"vital-signs"', '["laboratory", "vital-signs"]'],
  code: ['["8302-2", "24627-2"]', '"8302-2"'],
  date: ['"ge1990"', '["ge2010", "le2030-01-01"]'],
  from: ['"1990"', '"2010-05"'],
  keywords: ['["Modality", "Rows"]'],
  modality: ['["CT"]', '["CT", "SR"]'],
  optional: ['true', 'false'],
  started: ['"ge2000"', '["ge2026-01-11", "le2026-01-15"]'],
  status: ['"final"', '["final", "available", "finished"]'],
  to: ['"2030"'],
  unit: ['"cm"'],
  use: ['official', '"usual"'],
  window: ['"40,400"'],
};
/** Literals that are refused. */
const REFUSED: Readonly<Record<string, string>> = {
  _count: '-1',
  _sort: '"no-such-key"',
  _filter: '"not a filter"',
  fhirpath: '"given("',
  date: '"no date"',
  started: '"no date"',
};

/** @returns a document that is valid, with the values of its variables */
export function generatedDocument(schema: GraphQLSchema, wanted: Wanted, random: Random): Document {
  return new Generator(schema, wanted, random).document();
}

class Generator {
  readonly #schema: GraphQLSchema;
  readonly #wanted: Wanted;
  readonly #random: Random;
  readonly #variables: Record<string, unknown> = {};
  readonly #declared: string[] = [];
  readonly #fragments: string[] = [];
  #names = 0;

  constructor(schema: GraphQLSchema, wanted: Wanted, random: Random) {
    this.#schema = schema;
    this.#wanted = wanted;
    this.#random = random;
  }

  document(): Document {
    const root = this.#selection(this.#schema.getQueryType()!, 2 + this.#random.below(4));
    const declared = this.#declared.length > 0 ? `(${this.#declared.join(', ')})` : '';
    return {
      query: [`query Q${declared} ${root}`, ...this.#fragments].join('\n'),
      variables: this.#variables,
    };
  }

  /** @param isAliased true where another selection beside this one may have the same names */
  #selection(type: GraphQLObjectType, depth: number, isAliased = false): string {
    const fields = this.#chosen(type, depth);
    const texts = fields.map((field) => this.#field(field, depth, isAliased));
    if (this.#schema.getQueryType() !== type) texts.unshift('__typename');
    const last = texts.pop()!;
    return `{ ${texts.join(' ')} ${last === '__typename' ? last : this.#wrapped(type, last)} }`;
  }

  /** Writes a field as it is, or in a fragment. */
  #wrapped(type: GraphQLObjectType, field: string): string {
    const form = this.#random.below(8);
    if (form === 0) return `... on ${type.name}${this.#condition()} { ${field} }`;
    if (form === 1) return `...${this.#condition()} { ${field} }`;
    if (form > 2) return field;
    const name = `F${this.#names++}`;
    this.#fragments.push(`fragment ${name} on ${type.name} { ${field} }`);
    // Twice: both are one selection.
    return `...${name}${this.#condition()} ...${name}`;
  }

  /** Returns different fields of a type, mostly those that find something. */
  #chosen(type: GraphQLObjectType, depth: number): AnyField[] {
    const random = this.#random;
    const all = Object.values(type.getFields()).filter(
      (field) => depth > 0 || !isCompositeType(getNamedType(field.type)),
    );
    const isRoot = type === this.#schema.getQueryType();
    const { ids, elements } = this.#wanted;
    const recorded = elements.get(type.name) ?? elements.get('')!;
    const isReverse = ({ name }: AnyField) => REVERSE.test(name);
    const joins = all.filter(
      (field) => JOINED.test(field.name) || (isReverse(field) && ids.has(field.name.replace(REVERSE, ''))),
    );
    const found = isRoot
      ? all.filter(({ name }) => (random.chance(0.5) ? RICH.test(name) : ids.has(name.replace(REVERSE, ''))))
      : all.filter(({ name }) => recorded.has(name) || JOINED.test(name));
    const chosen = Array.from({ length: isRoot ? 1 + random.below(2) : 2 + random.below(4) }, () => {
      const from = random.of([found, found, found, joins]);
      return random.of(from.length > 0 && random.chance(0.95) ? from : all);
    });
    // A type without scalars has none at the end of a path.
    return all.length > 0 ? [...new Set(chosen)] : [];
  }

  #field(field: AnyField, depth: number, isAliased: boolean): string {
    const type = getNamedType(field.type);
    const args = this.#arguments(field);
    const alias = isAliased || args !== '' || this.#random.chance(0.2) ? `a${this.#names++}: ` : '';
    const condition = this.#random.chance(0.05) ? this.#condition() : '';
    const inner = isObjectType(type)
      ? this.#selection(type, depth - 1)
      : isCompositeType(type)
        ? this.#members(type as GraphQLUnionType, depth - 1)
        : '';
    const text = `${alias}${field.name}${args}${condition} ${inner}`;
    // A second selection of the same field is merged with the first.
    return isObjectType(type) && condition === '' && this.#random.chance(0.1)
      ? `${text} ${alias}${field.name}${args} ${this.#selection(type, 0)}`
      : text;
  }

  /** Selects from some types of a union. Fields of different types must not share a name. */
  #members(union: GraphQLUnionType, depth: number): string {
    const members = new Set(Array.from({ length: 3 }, () => this.#random.of(union.getTypes())));
    const patient = union.getTypes().find(({ name }) => name === 'Patient' || name === 'Observation');
    if (patient) members.add(patient);
    const texts = [...members].map((type) => `... on ${type.name} ${this.#selection(type, depth, true)}`);
    return `{ __typename ${texts.join(' ')} }`;
  }

  #condition(): string {
    if (this.#random.chance(0.5)) return '';
    const name = this.#random.of(['skip', 'include']);
    const isWanted = this.#random.chance(0.8);
    const value = String(name === 'include' ? isWanted : !isWanted);
    return ` @${name}(if: ${isWanted ? this.#value('Boolean!', value) : this.#variable('Boolean!', value)})`;
  }

  #arguments(field: AnyField): string {
    const given = field.args.filter(
      (arg) =>
        isRequiredArgument(arg) ||
        (arg.name === '_count' && REVERSE.test(field.name)) ||
        (arg.name === 'code' && field.name === 'trend') ||
        this.#random.chance(arg.name === 'fhirpath' ? 0.08 : 0.06),
    );
    const texts = given.flatMap((arg) => {
      const literal = this.#literal(arg, field);
      return literal === undefined ? [] : [`${arg.name}: ${this.#value(String(arg.type), literal)}`];
    });
    return texts.length > 0 ? `(${texts.join(', ')})` : '';
  }

  /** @returns undefined for an argument that would find nothing */
  #literal({ name, type }: GraphQLArgument, field: AnyField): string | undefined {
    const random = this.#random;
    const named = getNamedType(type);
    if (isEnumType(named)) {
      const value = random.of(named.getValues()).name;
      return isListType(isNonNullType(type) ? type.ofType : type) ? `[${value}]` : value;
    }
    const resource = field.name.replace(REVERSE, '');
    if (name === 'id' || name === '_id') {
      const ids = this.#wanted.ids.get(resource) ?? [];
      return JSON.stringify(ids.length === 0 || random.chance(0.05) ? 'no-such-id' : random.of(ids));
    }
    if (name === 'patient' || name === 'subject') return JSON.stringify(this.#wanted.patient);
    if (REFUSED[name] && random.chance(0.03)) return REFUSED[name];
    const literals = LITERALS[name];
    if (!literals || (named.name === 'code' && name !== 'use')) return undefined;
    const isOne = !isListType(type);
    return random.of(literals.filter((literal) => !isOne || !literal.startsWith('[')));
  }

  #value(type: string, literal: string): string {
    return this.#random.chance(0.25) ? this.#variable(type, literal) : literal;
  }

  /** Declares a variable that has a value: given, or by default. */
  #variable(type: string, literal: string): string {
    const name = `v${this.#names++}`;
    const isDefault = this.#random.chance(0.5);
    this.#declared.push(`$${name}: ${type}${isDefault ? ` = ${literal}` : ''}`);
    if (!isDefault) this.#variables[name] = valueFromASTUntyped(parseValue(literal));
    return `$${name}`;
  }
}
