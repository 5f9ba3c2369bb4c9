import { readFileSync } from 'node:fs';
import { composeServices } from '@apollo/composition';
import { lexicographicSortSchema, parse, printSchema } from 'graphql';
import type { Files } from './files.ts';
import { writeOrCheck } from './files.ts';

/**
 * Composes the two subgraphs into `supergraph.graphql`, which the gateway uses for planning, and `api.graphql`, which
 * clients see: without join directives and inaccessible fields. The gateway never composes (FG-14).
 *
 *     tsx schema/generate/compose.ts            writes both
 *     tsx schema/generate/compose.ts --check    writes nothing; fails when the committed files are stale
 *
 * @throws Error with all messages of the composition
 */
export function composeSubgraphs(subgraphs: Readonly<Record<string, string>>): Files {
  const result = composeServices(
    Object.entries(subgraphs).map(([name, sdl]) => ({
      name,
      // Not used: a remote deployment sets its own address.
      url: `http://${name}.invalid/graphql`,
      typeDefs: parse(sdl, { noLocation: true }),
    })),
  );
  if (result.errors) throw new Error(result.errors.map(({ message }) => message).join('\n'));
  const api = result.schema.toAPISchema().toGraphQLJSSchema();
  return {
    'supergraph.graphql': `${result.supergraphSdl}\n`,
    'api.graphql': `${printSchema(lexicographicSortSchema(api))}\n`,
  };
}

if (import.meta.filename === process.argv[1]) {
  const folder = new URL('../', import.meta.url);
  const sdl = (name: string) => readFileSync(new URL(`${name}.graphql`, folder), 'utf8');
  const files = composeSubgraphs({ clinical: sdl('clinical'), imaging: sdl('imaging') });
  process.exitCode = writeOrCheck(folder, files, process.argv.slice(2), 'npm run compose');
}
