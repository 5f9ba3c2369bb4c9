import { writeFhirJson } from './decimal.ts';
import type { Bundle, BundleEntry, Resource } from 'fhir/r4.js';

/** JSON of frozen resources, released together with the resource. */
const texts = new WeakMap<object, string>();

/** Returns the JSON of a resource or Bundle. A frozen resource, alone or in a Bundle, is written only once. */
export function fhirJson(resource: Resource | Bundle): string {
  if (resource.resourceType !== 'Bundle') return resourceJson(resource);
  const { entry, ...bundle } = resource as Bundle;
  const text = writeFhirJson(bundle);
  if (!entry) return text;
  // Appended one by one: joining arrays of texts would copy each text several times.
  let entries = '';
  for (const one of entry) entries += `${entries && ','}${entryJson(one)}`;
  return `${text.slice(0, -1)},"entry":[${entries}]}`;
}

function entryJson(entry: BundleEntry): string {
  let members = '';
  for (const [name, value] of Object.entries(entry)) {
    if (value === undefined) continue;
    const text = name === 'resource' ? resourceJson(value as Resource) : writeFhirJson(value);
    members += `${members && ','}"${name}":${text}`;
  }
  return `{${members}}`;
}

function resourceJson(resource: Resource): string {
  const known = texts.get(resource);
  if (known !== undefined) return known;
  const text = writeFhirJson(resource);
  if (Object.isFrozen(resource)) texts.set(resource, text);
  return text;
}
