import type { Resource } from 'fhir/r4.js';

const SUBSETTED = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' };

/** `_elements`: what is named, marked as a part (R4 §3.1.1.5.9). */
export function subsetted(resource: Resource, elements: readonly string[]): Resource {
  const kept = new Set(['resourceType', 'id', ...elements]);
  const entries = Object.entries(resource).filter(([name]) => kept.has(name.replace(/^_/, '')));
  const meta = { ...resource.meta, tag: [...(resource.meta?.tag ?? []), SUBSETTED] };
  return { ...Object.fromEntries(entries), meta } as Resource;
}
