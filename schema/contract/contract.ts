import {
  buildASTSchema,
  buildSchema,
  DangerousChangeType,
  findBreakingChanges,
  findDangerousChanges,
  getDirectiveValues,
  GraphQLDeprecatedDirective,
  GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  parse,
  print,
  visit,
  type DocumentNode,
  type GraphQLArgument,
  type GraphQLEnumValue,
  type GraphQLNamedType,
} from 'graphql';
import { z } from 'zod';

/** Without descriptions: they are two thirds of the text, and no client depends on them. */
const RELEASED_NOTE = (version: string) =>
  `# The API of version ${version}, without descriptions. \`npm run release:contract\` writes it.\n\n`;
const RELEASED_VERSION = /^# The API of version (\S+),/;
const REMOVAL = /Removal not before (\d{4}-\d{2}-\d{2})\b/;
/** Later than every date of a deprecation. */
const NEVER = '9999-12-31';

export interface ContractChanges {
  /** Sentences that say what is wrong, and what to do. */
  problems: readonly string[];
  /** New values, union members and arguments: a client of the last release may meet or miss them. */
  additions: readonly string[];
}

/**
 * Compares the API with that of the last release (FG-34). A removal is allowed from the date on that the last release gave
 * in its deprecation.
 * @param sdl of the last release, and of now
 * @param options `today` is an ISO date; `accepted` has the reason of each change that breaks clients on purpose
 */
export function contractChanges(
  sdl: { released: string; current: string },
  { today, accepted }: { today: string; accepted: Readonly<Record<string, string>> },
): ContractChanges {
  const released = parse(sdl.released, { noLocation: true });
  const current = buildSchema(sdl.current, { noLocation: true, assumeValid: true });
  const { breaking, additions } = changesTo(current, schemaWithoutDeprecated(released, today));
  const notDeprecated =
    breaking.length > 0 ? changesTo(current, schemaWithoutDeprecated(released, NEVER)).breaking : [];
  const problems = breaking
    .filter((change) => !(change in accepted))
    .map((change) => `${change} ${notDeprecated.includes(change) ? DEPRECATE : WAIT}`);
  const stale = Object.keys(accepted)
    .filter((change) => !breaking.includes(change))
    .map((change) => `accepted-changes.ts: remove "${change}": the API has no such change.`);
  return { problems: [...problems, ...stale, ...undatedDeprecations(current)], additions };
}

const DEPRECATE =
  'This breaks clients of the last release. Keep it, and deprecate it first: @deprecated(reason: "Use ... Removal not ' +
  'before YYYY-MM-DD."). For a new major version, add this sentence with the reason to schema/contract/accepted-changes.ts.';
const WAIT =
  'It is deprecated in the last release, but the date of its removal is not reached. Keep it until then.';

/** Returns the text of a released API. @param current SDL of the API */
export function releasedText(current: string, version: string): string {
  const withoutDescriptions = visit(parse(current, { noLocation: true }), {
    enter: (node) => ('description' in node ? { ...node, description: undefined } : undefined),
  });
  return `${RELEASED_NOTE(version)}${print(withoutDescriptions)}\n`;
}

/**
 * Tells if a version may break clients of a released one: another major version, or another minor version of 0.x
 * (Semantic Versioning §4, §8).
 */
export function mayBreak(released: string, version: string): boolean {
  const line = (text: string) => /^0\.\d+|^\d+/.exec(text)?.[0];
  return line(RELEASED_VERSION.exec(released)?.[1] ?? '') !== line(version);
}

function changesTo(current: GraphQLSchema, released: GraphQLSchema) {
  const dangerous = findDangerousChanges(released, current);
  // Clients that give no value would get another answer.
  const isSilent = ({ type }: { type: DangerousChangeType }) =>
    type === DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE;
  return {
    breaking: sentences([...findBreakingChanges(released, current), ...dangerous.filter(isSilent)]),
    additions: sentences(dangerous.filter((change) => !isSilent(change))),
  };
}

const sentences = (changes: readonly { description: string }[]) =>
  changes.map(({ description }) => description);

/** Builds a schema without what may be removed on a day, and without the types that only these fields led to. */
function schemaWithoutDeprecated(document: DocumentNode, day: string): GraphQLSchema {
  const kept = visit(document, {
    enter(node) {
      const deprecated = 'directives' in node && getDirectiveValues(GraphQLDeprecatedDirective, node);
      const date = deprecated && removalDate(String(deprecated['reason']));
      return date && date <= day ? null : undefined;
    },
  });
  const schema = buildASTSchema(kept, { assumeValid: true, assumeValidSDL: true });
  const types = Object.values(schema.getTypeMap()).filter(
    (type) => (isObjectType(type) || isInterfaceType(type)) && type.getInterfaces().length > 0,
  );
  // It collects the types that the query leads to; those of an interface have to be named.
  return new GraphQLSchema({ ...schema.toConfig(), types });
}

/** Returns a sentence for each deprecation without a date. */
function undatedDeprecations(schema: GraphQLSchema): string[] {
  return Object.values(schema.getTypeMap())
    .flatMap(elementsOf)
    .filter(({ reason }) => typeof reason === 'string' && removalDate(reason) === undefined)
    .map(
      ({ path }) =>
        `${path} is deprecated without a date. End the reason with "Removal not before YYYY-MM-DD.".`,
    );
}

/** Returns what can be deprecated in a type, with the reasons of what is. */
function elementsOf(type: GraphQLNamedType): { path: string; reason: string | null | undefined }[] {
  const elements = (within: string, some: readonly (GraphQLEnumValue | GraphQLArgument)[]) =>
    some.map(({ name, deprecationReason: reason }) => ({ path: `${within}.${name}`, reason }));
  if (isEnumType(type)) return elements(type.name, type.getValues());
  if (isInputObjectType(type)) return elements(type.name, Object.values(type.getFields()));
  if (!isObjectType(type) && !isInterfaceType(type)) return [];
  return Object.values(type.getFields()).flatMap(({ name, deprecationReason: reason, args }) => {
    const path = `${type.name}.${name}`;
    return [{ path, reason }, ...elements(path, args)];
  });
}

/** Returns the first day on which a deprecated element may be removed; undefined without a valid date. */
function removalDate(reason: string): string | undefined {
  return z.iso.date().safeParse(REMOVAL.exec(reason)?.[1]).data;
}
