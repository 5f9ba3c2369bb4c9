import type { DomainResource, Reference, Resource } from 'fhir/r4.js';

/** Property of a local reference that holds its container: GraphQL gives a resolver only the reference. */
const CONTAINER = Symbol('container');

/**
 * Binds the local references (`#x`) in a resource to it, so that `containedTarget` can resolve them. Does nothing for a
 * resource without contained resources, and for a frozen one: it was bound before.
 * @returns the same resource
 */
export function bindContained<T extends Resource>(resource: T): T {
  const { contained } = resource as DomainResource;
  if (contained && contained.length > 0 && !Object.isFrozen(resource)) bind(resource, resource);
  return resource;
}

function bind(value: unknown, container: Resource): void {
  // A frozen part was made without a container, and has no local reference.
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  const { reference } = value as Reference;
  if (typeof reference === 'string' && reference.startsWith('#')) {
    Object.defineProperty(value, CONTAINER, { value: container, configurable: true });
  }
  Object.values(value).forEach((child) => bind(child, container));
}

/** Returns the target of a local reference: a contained resource, or the container for `#` (R4 §2.29.2.1). */
export function containedTarget(reference: Reference): Resource | undefined {
  const container = (reference as { [CONTAINER]?: DomainResource })[CONTAINER];
  if (reference.reference === '#') return container;
  // A record that is not valid may have null there.
  const contained = container?.contained as readonly (Resource | null)[] | undefined;
  return contained?.find((one) => one && `#${one.id}` === reference.reference) ?? undefined;
}
