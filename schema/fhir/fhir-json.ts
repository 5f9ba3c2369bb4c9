import { Derivation } from '../process/derivation.ts';
import { writeFhirJson } from './decimal.ts';
import type { Bundle, BundleEntry, Resource } from 'fhir/r4.js';

const resourceTexts = new Derivation<Resource, string>();
const entryTexts = new Derivation<BundleEntry[], Buffer>();

/**
 * Returns the JSON of a resource or Bundle, in UTF-8. A frozen resource, or a frozen list of entries, is written only once, the
 * list as the bytes that are sent.
 */
export function fhirJson(resource: Resource | Bundle): Buffer {
  if (resource.resourceType !== 'Bundle') return Buffer.from(resourceJson(resource));
  const { entry, ...bundle } = resource as Bundle;
  const text = writeFhirJson(bundle);
  if (!entry) return Buffer.from(text);
  // The text of a frozen list contains the texts of its resources: they are not kept a second time.
  const entries = Object.isFrozen(entry)
    ? entryTexts.of(entry, [], () => Buffer.from(joined(entry, writeFhirJson)))
    : Buffer.from(joined(entry, entryJson));
  return Buffer.concat([Buffer.from(`${text.slice(0, -1)},"entry":[`), entries, END]);
}

const END = Buffer.from(']}');

/** Appends one by one: joining arrays of texts would copy each text several times. */
function joined(entries: BundleEntry[], write: (entry: BundleEntry) => string): string {
  let text = '';
  for (const one of entries) text += `${text && ','}${write(one)}`;
  return text;
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
  return resourceTexts.of(resource, [], () => writeFhirJson(resource));
}
