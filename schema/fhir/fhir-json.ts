import { Derivation } from '../process/derivation.ts';
import { writeFhirJson } from './decimal.ts';
import type { Bundle, BundleEntry, Resource } from 'fhir/r4.js';

const resourceTexts = new Derivation<Resource, string>();
const entryTexts = new Derivation<BundleEntry[], string>();

/** Returns the JSON of a resource or Bundle. A frozen resource, or a frozen list of entries, is written only once. */
export function fhirJson(resource: Resource | Bundle): string {
  if (resource.resourceType !== 'Bundle') return resourceJson(resource);
  const { entry, ...bundle } = resource as Bundle;
  const text = writeFhirJson(bundle);
  if (!entry) return text;
  // The text of a frozen list contains the texts of its resources: they are not kept a second time.
  const entries = Object.isFrozen(entry)
    ? entryTexts.of(entry, [], () => inOnePiece(joined(entry, writeFhirJson)))
    : joined(entry, entryJson);
  return `${text.slice(0, -1)},"entry":[${entries}]}`;
}

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

/** Copies a text into one piece. V8 keeps an appended text as a tree, and would walk through it at every sending. */
function inOnePiece(text: string): string {
  return Buffer.from(text).toString();
}
