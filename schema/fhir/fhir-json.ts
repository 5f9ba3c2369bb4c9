import type { Bundle, BundleEntry, Resource } from 'fhir/r4.js';

/** Texts of resources that cannot change any more; each goes with its resource. */
const texts = new WeakMap<object, string>();

/** The JSON of a resource or Bundle. A frozen resource, by itself or in a Bundle, is written only once. */
export function fhirJson(resource: Resource | Bundle): string {
  if (resource.resourceType !== 'Bundle') return resourceJson(resource);
  const { entry, ...bundle } = resource as Bundle;
  const text = JSON.stringify(bundle);
  return entry ? `${text.slice(0, -1)},"entry":[${entry.map(entryJson).join(',')}]}` : text;
}

function entryJson(entry: BundleEntry): string {
  const members = Object.entries(entry).flatMap(([name, value]) => {
    const text = name === 'resource' ? resourceJson(value as Resource) : JSON.stringify(value);
    return text === undefined ? [] : [`${JSON.stringify(name)}:${text}`];
  });
  return `{${members.join(',')}}`;
}

function resourceJson(resource: Resource): string {
  const known = texts.get(resource);
  if (known !== undefined) return known;
  const text = JSON.stringify(resource);
  if (Object.isFrozen(resource)) texts.set(resource, text);
  return text;
}
