import type { Resource } from 'fhir/r4.js';

/** Parts of resources: `_elements`, and the tag of what is not whole (R4 §3.1.1.5.9). */

const SUBSETTED = {
  system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue',
  code: 'SUBSETTED',
  display: 'subsetted',
};

/** Without these a client would not know what it was given. */
const ALWAYS = ['resourceType', 'id', 'meta'];

/** A copy that says of itself, by the tag SUBSETTED, that it is a part. */
export function subsetted<T extends Resource>(resource: T): T {
  const { meta, ...rest } = resource;
  return { ...rest, meta: { ...meta, tag: [...(meta?.tag ?? []), SUBSETTED] } } as T;
}

/**
 * The elements that are named, and those that are always there. An element within one is named by its path,
 * `series.uid`, and brings the whole element at the top.
 * @param mandatory elements without which the resource would not be valid
 */
export function onlyElements<T extends Resource>(
  resource: T,
  elements: readonly string[],
  mandatory: readonly string[] = [],
): T {
  const kept = new Set([...ALWAYS, ...mandatory, ...elements.map((element) => element.split('.')[0]!)]);
  // `_birthDate` holds the extensions of `birthDate`.
  const entries = Object.entries(resource).filter(([name]) => kept.has(name.replace(/^_/, '')));
  return Object.fromEntries(entries) as unknown as T;
}
