import { readFileSync } from 'node:fs';
import { readDefinitions } from './definitions.ts';
import type { Files } from './files.ts';
import { buildModel } from './model.ts';
import { clinicalJoins, imagingJoins } from './study-joins.ts';
import { clinicalSdl, imagingSdl } from './subgraphs.ts';
import { tablesFile } from './tables-file.ts';

/** Characters outside Latin-1, and what is written for them: a text without them takes half the memory. */
const PLAIN: readonly (readonly [string, string])[] = [
  ['’', "'"],
  ['…', '...'],
];

/**
 * Generates `clinical.graphql`, `imaging.graphql` and `tables.json` from the FHIR R4 definitions.
 * @param all every resource of R4, instead of the default list
 */
export function generate(all = false): Files {
  const model = buildModel(readDefinitions(), all);
  const contributions = (subgraph: string) =>
    readFileSync(new URL(`../${subgraph}.contributions.graphql`, import.meta.url), 'utf8');
  // The schema, and the tables of which the resolvers are made (FG-1).
  return {
    'clinical.graphql': plain(clinicalSdl(model, contributions('clinical') + clinicalJoins())),
    'imaging.graphql': plain(imagingSdl(model, contributions('imaging') + imagingJoins())),
    'tables.json': plain(tablesFile(model)),
  };
}

function plain(text: string): string {
  return PLAIN.reduce((written, [character, instead]) => written.replaceAll(character, instead), text);
}
