import type { Field, Tables } from '../fhir/tables.ts';
import { compare } from './definitions.ts';
import type { Model } from './model.ts';
import { renamedTypes } from './sdl.ts';

/** Returns the text of `tables.json`: one line for each type and parameter list, so that differences are easy to read. */
export function tablesFile(model: Model): string {
  const tables: Tables = {
    clinicalResources: [...model.clinicalResources],
    imagingResources: [...model.imagingResources],
    renamed: Object.fromEntries(Object.entries(renamedTypes).filter(([type]) => model.types.has(type))),
    types: sorted([...model.types].map(([name, { fields }]) => [name, fields.map(plain)])),
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

function plain({ name, type, kind, list, choice, targets, summary, mandatory }: Field): Field {
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
  return Object.fromEntries(entries.sort(([a], [b]) => compare(a, b)));
}
