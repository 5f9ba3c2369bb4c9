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
/** A field of more arguments is listed with their number alone. */
const MOST_ARGUMENTS = 6;
/** Characters of a description in a line. */
const MOST_DESCRIPTION = 300;

/** One field, or one type, as a line to search in. */
interface Line {
  name: string;
  text: string;
}

/**
 * Describes the API schema in small portions. The text of the schema is split into definitions, and each is parsed when it is
 * needed: parsing all at once would hold up other requests.
 */
export class SchemaGuide {
  readonly #definitions: ReadonlyMap<string, string>;
  #lines: Promise<readonly Line[]> | undefined;

  /** @param sdl as graphql-js prints it, with an empty line between two definitions */
  constructor(sdl: string) {
    const blocks = sdl.split(/\n\n(?=\S)/).map((block): [string, string] => {
      const [, name = ''] =
        /^(?:type|enum|union|scalar|input|interface|directive) @?(\w+)/m.exec(block) ?? [];
      return [name, block];
    });
    this.#definitions = new Map(blocks);
  }

  /**
   * Describes a type: a line for each field or value.
   * @throws Fault `not_found` for an unknown type
   */
  type(name: string, offset: number): Described {
    const definition = this.#definition(name);
    const about = oneLine(definition);
    const lines = listsLast(membersOf(definition), ({ name: { value } }) => value).map(lineOf);
    return portion([`${name}: ${about}`], lines, offset);
  }

  /**
   * Describes a field with all its arguments.
   * @throws Fault `not_found` for an unknown type or field
   */
  field(type: string, name: string): Described {
    const members = membersOf(this.#definition(type));
    const found = members.find((member) => member.name.value === name);
    if (found) return { text: print(found) };
    const nearest = nearestName(
      name,
      members.map((member) => member.name.value),
    );
    throw new Fault(
      'not_found',
      `${type} has no field ${name}.${nearest ? ` Did you mean ${nearest}?` : ''}`,
    );
  }

  /** Finds types and fields that have every word in their name or description; those with the words in the name first. */
  async search(text: string, offset: number): Promise<Described> {
    const words = text
      .toLowerCase()
      .split(/[^a-z0-9_]+/)
      .filter(Boolean);
    const lines = await (this.#lines ??= this.#read());
    const has = (where: string) => words.every((word) => where.toLowerCase().includes(word));
    const named = lines.filter(({ name }) => has(name));
    const described = lines.filter((line) => !has(line.name) && has(`${line.name} ${line.text}`));
    const found = [named, described].flatMap((some) => listsLast(some, ({ name }) => name));
    if (found.length === 0)
      return { text: 'Nothing in the schema has these words. Try fewer, or other words.' };
    return portion(
      [],
      found.map((line) => line.text),
      offset,
    );
  }

  #definition(name: string): DefinitionNode {
    const text = this.#definitions.get(name);
    if (text !== undefined) return parse(text, { noLocation: true }).definitions[0]!;
    const nearest = nearestName(name, this.#definitions.keys());
    throw new Fault('not_found', `There is no type ${name}.${nearest ? ` Did you mean ${nearest}?` : ''}`);
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

type Member = FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode | NamedTypeNode;

/** Puts the many lists of resources, which every type has, behind what is its own. */
function listsLast<Item>(items: readonly Item[], nameOf: (item: Item) => string): Item[] {
  const isList = (item: Item) => /(List|Connection)$/.test(nameOf(item));
  return [...items.filter((item) => !isList(item)), ...items.filter(isList)];
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
  const list = given.length > MOST_ARGUMENTS ? `(${given.length} arguments)` : named && `(${named})`;
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
