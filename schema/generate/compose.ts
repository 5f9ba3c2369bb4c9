import { readFileSync } from 'node:fs';
import { composeServices } from '@apollo/composition';
import { lexicographicSortSchema, parse, printSchema } from 'graphql';
import type { Tables } from '../fhir/tables.ts';
import { describeSchema } from './descriptions.ts';
import type { Files } from './files.ts';
import { writeOrCheck } from './files.ts';

/**
 * Composes the two subgraphs into `supergraph.graphql`, which the gateway uses for planning, and `api.graphql`, which
 * clients see: without join directives and inaccessible fields. The gateway never composes (FG-14).
 *
 *     tsx schema/generate/compose.ts            writes both
 *     tsx schema/generate/compose.ts --check    writes nothing; fails when the committed files are stale
 *
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
  const api = lexicographicSortSchema(result.schema.toAPISchema().toGraphQLJSSchema());
  describeSchema(api, JSON.parse(tables) as Tables);
  return {
    'supergraph.graphql': `${result.supergraphSdl}\n`,
    'api.graphql': `${printSchema(api)}\n`,
  };
}

if (import.meta.filename === process.argv[1]) {
  const folder = new URL('../', import.meta.url);
  const read = (name: string) => readFileSync(new URL(name, folder), 'utf8');
  const subgraphs = { clinical: read('clinical.graphql'), imaging: read('imaging.graphql') };
  const files = composeSubgraphs(subgraphs, read('tables.json'));
  process.exitCode = writeOrCheck(folder, files, process.argv.slice(2), 'npm run compose');
}
