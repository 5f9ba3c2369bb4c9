import { readFileSync } from 'node:fs';
import { readDefinitions } from './definitions.ts';
import type { Files } from './files.ts';
import { writeOrCheck } from './files.ts';
import { buildModel } from './model.ts';
import { clinicalJoins, imagingJoins } from './study-joins.ts';
import { clinicalSdl, imagingSdl } from './subgraphs.ts';
import { tablesFile } from './tables-file.ts';

/**
 * Generates `clinical.graphql`, `imaging.graphql` and `tables.json` from the FHIR R4 definitions.
 *
 *     tsx schema/generate/generate.ts           the default resource list
 *     tsx schema/generate/generate.ts --all     every resource of R4
 *     tsx schema/generate/generate.ts --check   writes nothing; fails when the committed files are stale
 */
export function generate(all = false): Files {
  const model = buildModel(readDefinitions(), all);
  const contributions = (subgraph: string) =>
    readFileSync(new URL(`../${subgraph}.contributions.graphql`, import.meta.url), 'utf8');
  // The schema, and the tables of which the resolvers are made (FG-1).
  return {
    'clinical.graphql': clinicalSdl(model, contributions('clinical') + clinicalJoins()),
    'imaging.graphql': imagingSdl(model, contributions('imaging') + imagingJoins()),
    'tables.json': tablesFile(model),
  };
}

if (import.meta.filename === process.argv[1]) {
  const args = process.argv.slice(2);
  const files = generate(args.includes('--all'));
  process.exitCode = writeOrCheck(new URL('../', import.meta.url), files, args, 'npm run generate');
}
