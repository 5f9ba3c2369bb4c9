import type { DomainResource, Reference, Resource } from 'fhir/r4.js';

/** Where a local reference is kept with the resource around it: GraphQL hands a resolver the reference alone. */
const CONTAINER = Symbol('container');

/**
 * Lets the local references (`#x`) in a resource be resolved later. Resources that contain nothing are left alone.
 * @returns the same resource
 */
export function bindContained<T extends Resource>(resource: T): T {
  const { contained } = resource as DomainResource;
  if (contained && contained.length > 0) bind(resource, resource);
  return resource;
}

function bind(value: unknown, container: Resource): void {
  if (Array.isArray(value)) return value.forEach((item) => bind(item, container));
  if (typeof value !== 'object' || value === null) return;
  const { reference } = value as Reference;
  if (typeof reference === 'string' && reference.startsWith('#')) {
    Object.defineProperty(value, CONTAINER, { value: container, configurable: true });
  }
  Object.values(value).forEach((child) => bind(child, container));
}

/** The resource that a local reference points at: one of those contained, or for `#` the container (R4 §2.29.2.1). */
export function containedTarget(reference: Reference): Resource | undefined {
  const container = (reference as { [CONTAINER]?: DomainResource })[CONTAINER];
  if (reference.reference === '#') return container;
  return container?.contained?.find(({ id }) => `#${id}` === reference.reference);
}
