import type { Bundle, Resource } from 'fhir/r4.js';
import { createHash } from 'node:crypto';
import { FHIR_ID, parseReference } from '../../../schema/fhir/fhir.ts';

type Stored = Resource & { id: string };

/**
 * Returns the resources of a Bundle as they are after a transaction: all have an id, and references by `urn:uuid:` or by a
 * fullUrl of the same Bundle become `Type/id` (R4 §3.1.0.11.2). Conditional references stay unchanged.
 */
export function resourcesOfBundle(bundle: Bundle): Stored[] {
  const targets = new Map<string, string>();
  const resources = (bundle.entry ?? []).flatMap(({ resource, fullUrl, request }) => {
    if (!resource || request?.method === 'DELETE') return [];
    const stored = withId(resource as Resource, fullUrl);
    const target = `${stored.resourceType}/${stored.id}`;
    if (fullUrl) targets.set(fullUrl, target);
    return [stored];
  });
  for (const resource of resources) rewriteReferences(resource, (reference) => targets.get(reference));
  return resources;
}

/** Gives a resource an id: its own, the one in its fullUrl, or a hash of its content, which is the same at every load. */
export function withId(resource: Resource, fullUrl?: string): Stored {
  if (typeof resource.id === 'string' && FHIR_ID.test(resource.id)) return resource as Stored;
  const named = fullUrl?.startsWith('urn:uuid:') ? fullUrl.slice(9) : parseReference(fullUrl)?.id;
  const id = named ?? createHash('sha256').update(JSON.stringify(resource)).digest('hex').slice(0, 32);
  return Object.assign(resource, { id });
}

/** Replaces references and URLs at any depth by the result of `target`; undefined leaves one unchanged. */
export function rewriteReferences(value: unknown, target: (reference: string) => string | undefined): void {
  if (Array.isArray(value)) return value.forEach((item) => rewriteReferences(item, target));
  if (typeof value !== 'object' || value === null) return;
  const object = value as Record<string, unknown>;
  for (const [name, child] of Object.entries(object)) {
    if (typeof child === 'object') rewriteReferences(child, target);
    else if ((name === 'reference' || name === 'url') && typeof child === 'string') {
      object[name] = target(child) ?? child;
    }
  }
}
