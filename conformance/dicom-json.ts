import type { Answer } from './client.ts';
import { objectsOf, parsed, type Json } from './json.ts';

/** Media type of DICOM JSON, PS3.18 §F. */
export const DICOM_JSON = 'application/dicom+json';

/** Tags that the checks read. */
export const TAG = {
  sopInstance: '00080018',
  modalities: '00080061',
  numberOfInstances: '00201208',
  retrieveUrl: '00081190',
  rows: '00280010',
  numberOfFrames: '00280008',
  series: '0020000E',
  study: '0020000D',
} as const;

/** Returns the objects of an answer in DICOM JSON; none for another answer. */
export const rowsOf = (answer: Answer): Json[] => (answer.status === 200 ? objectsOf(parsed(answer)) : []);

/** Returns the values of an attribute. */
export function allOf(row: Json, tag: string): readonly unknown[] {
  const values: unknown = objectsOf([row[tag]])[0]?.['Value'];
  return Array.isArray(values) ? values : [];
}

/** Returns the first value of an attribute. */
export const valueOf = (row: Json, tag: string): unknown => allOf(row, tag)[0];

/** Returns the sorted values of an attribute in all rows. */
export const valuesOf = (rows: readonly Json[], tag: string): string[] =>
  rows.map((row) => String(valueOf(row, tag) ?? 'none')).sort();

/** An attribute of an object, with the path of tags that leads to it. */
export interface Attribute {
  path: string;
  vr: unknown;
  values: readonly unknown[];
  bulkDataUri: unknown;
}

/** Yields the attributes of an object, and those of the items of its sequences. */
export function* attributesOf(object: Json, above = ''): Generator<Attribute> {
  for (const [tag, content] of Object.entries(object)) {
    const [attribute] = objectsOf([content]);
    const path = `${above}${tag}`;
    const values = allOf(object, tag);
    yield { path, vr: attribute?.['vr'], values, bulkDataUri: attribute?.['BulkDataURI'] };
    if (attribute?.['vr'] === 'SQ')
      for (const item of objectsOf(values)) yield* attributesOf(item, `${path}.`);
  }
}
