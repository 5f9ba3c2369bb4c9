/** Runs in the thread of `supergraphCheck`: a check takes about four seconds. */
import { QueryPlanner } from '@apollo/query-planner';
import {
  buildSchema,
  isEnumType,
  isObjectType,
  lexicographicSortSchema,
  printSchema,
  type GraphQLSchema,
} from 'graphql';
import { workerData } from 'node:worker_threads';
import { utf8 } from '../../../schema/process/texts.ts';
import { loadedSupergraph } from '../planning/loaded-supergraph.ts';
import type { CheckedSupergraph, Served } from './supergraph-check.ts';
import { coordinatesOf } from './coordinates.ts';

/** Parts that a message names. */
const MOST_NAMED = 5;

/** Around the reasons of Apollo: it takes a wrong supergraph for a bug of its own. */
const AROUND =
  /^Unexpected error extracting subgraph[^]*Details:\n|\n\nRe-run with environment variable[^]*$/g;

/** Returns the API of a supergraph; or a sentence that says why it cannot be served. */
export function check(supergraphSdl: string): CheckedSupergraph {
  try {
    return { apiSdl: apiOf(supergraphSdl, workerData as Served) };
  } catch (error) {
    return { problem: (error as Error).message.replace(AROUND, '').trim() };
  }
}

/** @throws Error that says what is wrong */
function apiOf(supergraphSdl: string, served: Served): string {
  const supergraph = loadedSupergraph(supergraphSdl, { validate: true });
  for (const { name, schema } of supergraph.subgraphs()) {
    const found = (served.subgraphs as Readonly<Record<string, readonly string[]>>)[name];
    if (!found) throw new Error(`There is no subgraph ${name}.`);
    requireServed(schema.toGraphQLJSSchema(), found, `the subgraph ${name}`);
  }
  const own = buildSchema(utf8(served.apiSdl), { noLocation: true, assumeValid: true });
  const api = lexicographicSortSchema(supergraph.apiSchema().toGraphQLJSSchema({ includeDefer: true }));
  requireServed(api, coordinatesOf(own), 'the API of this version');
  // Refuses what it cannot plan with.
  new QueryPlanner(supergraph);
  describe(api, own);
  return `${printSchema(api)}\n`;
}

/** @throws Error that names parts of the schema that are not served */
function requireServed(schema: GraphQLSchema, found: readonly string[], by: string): void {
  const served = new Set(found);
  const missing = coordinatesOf(schema).filter((part) => !served.has(part));
  if (missing.length === 0) return;
  const rest = missing.length > MOST_NAMED ? `, and ${missing.length - MOST_NAMED} more` : '';
  throw new Error(`Not in ${by}: ${missing.slice(0, MOST_NAMED).join(', ')}${rest}.`);
}

/** Copies the descriptions, which the supergraph has only in part. @param api is changed; `own` has all of its parts */
function describe(api: GraphQLSchema, own: GraphQLSchema): void {
  for (const type of Object.values(api.getTypeMap())) {
    const ownType = own.getType(type.name)!;
    describeAll([type], [ownType]);
    if (isEnumType(type) && isEnumType(ownType)) describeAll(type.getValues(), ownType.getValues());
    if (!isObjectType(type) || !isObjectType(ownType)) continue;
    const ownFields = ownType.getFields();
    describeAll(Object.values(type.getFields()), Object.values(ownFields));
    for (const { name, args } of Object.values(type.getFields())) describeAll(args, ownFields[name]!.args);
  }
}

interface Described {
  name: string;
  description?: string | null | undefined;
}

function describeAll(parts: readonly Described[], own: readonly Described[]): void {
  const descriptions = new Map(own.map(({ name, description }) => [name, description]));
  for (const part of parts) part.description = descriptions.get(part.name);
}
