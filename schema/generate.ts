import { readFileSync } from 'node:fs';
import { readDefinitions } from './generate/definitions.ts';
import type { Files } from './generate/files.ts';
import { writeOrCheck } from './generate/files.ts';
import { buildModel } from './generate/model.ts';
import { clinicalSdl, imagingSdl } from './generate/subgraphs.ts';
import { tablesFile } from './generate/tables-file.ts';

/**
 * Writes `clinical.graphql`, `imaging.graphql` and `tables.json` from the FHIR R4 definitions.
 *
 *     tsx schema/generate.ts           the default resource list
 *     tsx schema/generate.ts --all     every resource of R4
 *     tsx schema/generate.ts --check   writes nothing; fails where the committed files are stale
 */
export function generate(all = false): Files {
  const model = buildModel(readDefinitions(), all);
  const contributions = (subgraph: string) =>
    readFileSync(new URL(`./${subgraph}.contributions.graphql`, import.meta.url), 'utf8');
  return {
    'clinical.graphql': clinicalSdl(model, contributions('clinical')),
    'imaging.graphql': imagingSdl(model, contributions('imaging')),
    'tables.json': tablesFile(model),
  };
}

if (import.meta.filename === process.argv[1]) {
  const args = process.argv.slice(2);
  const files = generate(args.includes('--all'));
  process.exitCode = writeOrCheck(new URL('./', import.meta.url), files, args, 'npm run generate');
}
