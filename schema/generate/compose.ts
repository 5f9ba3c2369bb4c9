import { composeServices } from '@apollo/composition';
import { lexicographicSortSchema, parse, printSchema } from 'graphql';
import type { Tables } from '../fhir/tables.ts';
import { describeSchema } from './descriptions.ts';
import type { Files } from './files.ts';

/**
 * Composes the two subgraphs into `supergraph.graphql`, which the gateway uses for planning, and `api.graphql`, which
 * clients see: without join directives and inaccessible fields, with a description of everything. The gateway never
 * composes (FG-14).
 * @param tables the text of `tables.json`, whose descriptions the API has
 * @throws Error with all messages of the composition
 */
export function composeSubgraphs(subgraphs: Readonly<Record<string, string>>, tables: string): Files {
  const result = composeServices(
    Object.entries(subgraphs).map(([name, sdl]) => ({
      name,
      // Not used: a remote deployment sets its own address.
      url: `http://${name}.invalid/graphql`,
      typeDefs: parse(sdl, { noLocation: true }),
    })),
  );
  if (result.errors) throw new Error(result.errors.map(({ message }) => message).join('\n'));
  const api = lexicographicSortSchema(result.schema.toAPISchema().toGraphQLJSSchema({ includeDefer: true }));
  describeSchema(api, JSON.parse(tables) as Tables);
  return { 'supergraph.graphql': `${result.supergraphSdl}\n`, 'api.graphql': `${printSchema(api)}\n` };
}
