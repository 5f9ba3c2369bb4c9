import {
  Kind,
  parse,
  print,
  type DefinitionNode,
  type EnumValueDefinitionNode,
  type FieldDefinitionNode,
  type InputValueDefinitionNode,
  type NamedTypeNode,
} from 'graphql';
import { setImmediate } from 'node:timers/promises';
import { Fault } from '../../schema/fault/fault.ts';
import { nearestName } from '../../schema/fhir/nearest-name.ts';

/** A part of the schema in words. `next` is the offset of the rest; it is absent when there is no more. */
export interface Described {
  text: string;
  next?: number;
}

/** Lines of one answer. */
const MOST_LINES = 60;
/** A field with more characters of arguments is listed without them. */
const LONG_ARGUMENTS = 1000;
/** Characters of a description in a line. */
const MOST_DESCRIPTION = 300;

/** One field, or one type, as a line to search in. */
interface Line {
  name: string;
  text: string;
}

/** Between two definitions, of which the second may have a description. */
const BETWEEN = /\n\n(?="""|(?:type|enum|union|scalar|input|interface|directive) )/;
/** The name of a definition, behind its description. */
const NAME = /^(?:"""[^]*?"""\n)?\w+ @?(\w+)/;
/** The arguments of a field, which graphql-js prints one below the other when they have descriptions. */
const ARGUMENTS = /^ {2}(\w+)(\(\n(?: {4}.*\n|\n)+ {2}\))/gm;

/**
 * Describes the API schema in small portions. The text of the schema is split into definitions, and of each only the part
 * that is needed is parsed: parsing all at once would hold up other requests.
 */
export class SchemaGuide {
  readonly #sdl: string;
  #split: ReadonlyMap<string, string> | undefined;
  #lines: Promise<readonly Line[]> | undefined;

  /** @param sdl as graphql-js prints it, with an empty line between two definitions */
  constructor(sdl: string) {
    this.#sdl = sdl;
  }

  /** Definitions by their names. A gateway that no assistant asks does not split the text. */
  get #definitions(): ReadonlyMap<string, string> {
    return (this.#split ??= new Map(
      this.#sdl.split(BETWEEN).map((block) => [NAME.exec(block)?.[1] ?? '', block]),
    ));
  }

  /**
   * Describes a type: a line for each field or value.
   * @throws Fault `not_found` for an unknown type
   */
  type(name: string, offset: number): Described {
    const definition = this.#definition(name);
    const about = oneLine(definition);
    const lines = mainFirst(membersOf(definition), ({ name: { value } }) => value).map(lineOf);
    return portion([`${name}: ${about}`], lines, offset);
  }

  /**
   * Describes a field with all its arguments.
   * @throws Fault `not_found` for an unknown type or field
   */
  field(type: string, name: string): Described {
    const members = membersOf(this.#definition(type, name));
    const found = members.find((member) => member.name.value === name);
    if (found) return { text: print(found) };
    const names = members.map((member) => member.name.value);
    throw unknown(`${type} has no field ${name}.`, nearestName(name, names));
  }

  /** Finds types and fields that have every word in their name or description; those with the words in the name first. */
  async search(text: string, offset: number): Promise<Described> {
    const words: string[] = text.toLowerCase().match(/[a-z0-9_]+/g) ?? [];
    const lines = await (this.#lines ??= this.#read());
    const has = (where: string) => words.every((word) => where.toLowerCase().includes(word));
    const named = lines.filter(({ name }) => has(name));
    const described = lines.filter((line) => !has(line.name) && has(`${line.name} ${line.text}`));
    const found = [named, described].flatMap((some) => mainFirst(some, ({ name }) => name));
    const none = 'Nothing in the schema has these words. Try fewer, or other words.';
    const texts = found.map((line) => line.text);
    return portion(found.length > 0 ? [] : [none], texts, offset);
  }

  /** Returns a definition without long lists of arguments, except those of one field. */
  #definition(name: string, field?: string): DefinitionNode {
    const text = this.#definitions.get(name);
    if (text !== undefined) {
      const short = text.replace(ARGUMENTS, (whole, of: string, given: string) =>
        of === field || given.length < LONG_ARGUMENTS ? whole : `  ${of}`,
      );
      return parse(short, { noLocation: true }).definitions[0]!;
    }
    throw unknown(`There is no type ${name}.`, nearestName(name, this.#definitions.keys()));
  }

  async #read(): Promise<Line[]> {
    const lines: Line[] = [];
    for (const name of this.#definitions.keys()) {
      const definition = this.#definition(name);
      lines.push({ name, text: `${name}: ${oneLine(definition)}` });
      for (const member of membersOf(definition)) {
        const path = `${name}.${member.name.value}`;
        lines.push({ name: path, text: `${name}.${lineOf(member)}` });
      }
      await setImmediate();
    }
    return lines;
  }
}

function unknown(what: string, nearest: string | undefined): Fault {
  return new Fault('not_found', nearest === undefined ? what : `${what} Did you mean ${nearest}?`);
}

type Member = FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode | NamedTypeNode;

/** Puts what every type has behind the rest: lists of resources that refer to it, and extensions of primitive values. */
function mainFirst<Item>(items: readonly Item[], nameOf: (item: Item) => string): Item[] {
  const isCommon = (item: Item) => /(^|\.)_|(List|Connection)$/.test(nameOf(item));
  return [...items.filter((item) => !isCommon(item)), ...items.filter(isCommon)];
}

/** Returns the fields of a type, the values of an enum, or the types of a union. */
function membersOf(definition: DefinitionNode): readonly Member[] {
  if (definition.kind === Kind.ENUM_TYPE_DEFINITION) return definition.values ?? [];
  if (definition.kind === Kind.UNION_TYPE_DEFINITION) return definition.types ?? [];
  return 'fields' in definition ? (definition.fields ?? []) : [];
}

/** Writes a member in one line: name, arguments, type, description. */
function lineOf(member: Member): string {
  const given = 'arguments' in member ? (member.arguments ?? []) : [];
  const named = given.map(({ name, type }) => `${name.value}: ${print(type)}`).join(', ');
  const list = named && `(${named})`;
  const type = 'type' in member ? `: ${print(member.type)}` : '';
  const about = oneLine(member);
  return `${member.name.value}${list}${type}${about && ` - ${about}`}`;
}

/** Returns the description of a node without line breaks; empty when it has none. */
function oneLine(node: object): string {
  const { description } = node as { description?: { value: string } };
  return description?.value.replace(/\s+/g, ' ').slice(0, MOST_DESCRIPTION) ?? '';
}

/** Returns the lines from an offset on, as many as one answer has. */
function portion(heading: readonly string[], lines: readonly string[], offset: number): Described {
  const end = offset + MOST_LINES;
  const text = [...heading, ...lines.slice(offset, end)].join('\n');
  return { text, ...(end < lines.length && { next: end }) };
}
