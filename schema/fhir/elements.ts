import type { Resource } from 'fhir/r4.js';

/** Partial resources: `_elements`, and the tag that marks them (R4 §3.1.1.5.9). */

const SUBSETTED = {
  system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue',
  code: 'SUBSETTED',
  display: 'subsetted',
};

/** Without these elements a client could not identify the resource. */
const ALWAYS = ['resourceType', 'id', 'meta'];

/** Copies a resource and adds the tag SUBSETTED, which says that elements are missing. */
export function subsetted<T extends Resource>(resource: T): T {
  const { meta, ...rest } = resource;
  return { ...rest, meta: { ...meta, tag: [...(meta?.tag ?? []), SUBSETTED] } } as T;
}

/**
 * Copies a resource with only the named elements and those that are always there. A path such as `series.uid` keeps the
 * whole top-level element.
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
