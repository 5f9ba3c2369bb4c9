import { readFileSync } from 'node:fs';
import { readDefinitions } from './definitions.ts';
import type { Files } from './files.ts';
import { buildModel, type Model } from './model.ts';
import { clinicalJoins, imagingJoins } from './study-joins.ts';
import { clinicalSdl, imagingSdl } from './subgraphs.ts';
import type { Field, Tables } from '../fhir/tables.ts';
import { compareText } from '../process/texts.ts';
import { renamedTypes } from './sdl.ts';

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

/** Returns the text of `tables.json`: one line for each type and parameter list, so that differences are easy to read. */
function tablesFile(model: Model): string {
  const tables: Tables = {
    clinicalResources: [...model.clinicalResources],
    imagingResources: [...model.imagingResources],
    renamed: Object.fromEntries(Object.entries(renamedTypes).filter(([type]) => model.types.has(type))),
    types: sorted([...model.types].map(([name, { fields }]) => [name, fields.map(plainField)])),
    searchParameters: sorted([...model.searchParameters].map(([type, list]) => [type, [...list]])),
    reverse: sorted(
      [...model.reverse].map(([target, sources]) => [
        target,
        sorted([...sources].map(([source, codes]) => [source, [...codes]])),
      ]),
    ),
    patientCompartment: sorted([...model.patientCompartment].map(([type, codes]) => [type, [...codes]])),
  };
  const sections = Object.entries(tables).map(([name, value]) => {
    const lines = Object.entries(value as object).map(
      ([key, item]) => `${JSON.stringify(key)}:${JSON.stringify(item)}`,
    );
    const body = Array.isArray(value) ? JSON.stringify(value) : `{\n${lines.join(',\n')}\n}`;
    return `${JSON.stringify(name)}:${body}`;
  });
  return `{\n${sections.join(',\n')}\n}\n`;
}

function plainField({ name, type, kind, list, choice, targets, summary, mandatory }: Field): Field {
  return {
    name,
    type,
    kind,
    list,
    ...(choice === undefined ? {} : { choice }),
    ...(targets && { targets }),
    ...(summary && { summary }),
    ...(mandatory && { mandatory }),
  };
}

function sorted<T>(entries: [string, T][]): Record<string, T> {
  return Object.fromEntries(entries.sort(([a], [b]) => compareText(a, b)));
}
