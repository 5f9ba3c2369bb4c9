import type { DomainResource, Resource } from 'fhir/r4.js';
import type { Results } from './search/search-request.ts';
import { fieldsOf, type Field } from './tables.ts';

/** Parts of resources: `_elements` and `_summary`, and the tag that marks them (R4 §3.1.1.5.8, §3.1.1.5.9). */

const SUBSETTED = {
  system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue',
  code: 'SUBSETTED',
  display: 'subsetted',
};

/** Without these elements a client could not identify the resource, or would misread it (R4 §2.20.0.4, §2.27.1.6). */
const ALWAYS = ['resourceType', 'id', 'meta', 'implicitRules', 'modifierExtension'];

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
  return Object.fromEntries(entries) as T;
}

/**
 * Returns the part of a resource that `_elements` or `_summary` asks for, with its mandatory elements and the tag SUBSETTED;
 * the whole resource when neither does. `_elements` counts before `_summary`.
 */
export function partOf(
  resource: Resource,
  { elements, summary }: Pick<Results, 'elements' | 'summary'>,
): Resource {
  const { resourceType: type } = resource;
  if (elements) {
    // The contained resources of a part are those that it refers to.
    const named = elements.filter((element) => element !== 'contained');
    return subsetted(withContained(onlyElements(resource, named, mandatoryElements(type)), resource));
  }
  if (summary === 'text') {
    return subsetted(withContained(onlyElements(resource, ['text'], mandatoryElements(type)), resource));
  }
  if (summary === 'data') {
    const { text: _, ...data } = resource as DomainResource;
    return subsetted(data);
  }
  if (summary !== 'true') return resource;
  const short = { ...onlyElements(resource, []), ...summaryOf(resource, type) };
  return subsetted(withContained(short, resource));
}

/** Returns the names of the top-level elements of a resource type, choices by each of their JSON names. */
export function elementNames(type: string): string[] {
  return fieldsOf(type).map(({ name }) => name);
}

function mandatoryElements(type: string): string[] {
  return fieldsOf(type)
    .filter(({ mandatory }) => mandatory)
    .map(({ name }) => name);
}

/** Copies the elements of a value that belong to the summary of its type or are mandatory, at every depth. */
function summaryOf(value: object, type: string): object {
  const fields = fieldsByName(type);
  const kept: Record<string, unknown> = {};
  for (const [name, child] of Object.entries(value)) {
    const field = fields.get(name.replace(/^_/, ''));
    if (!field || !(field.summary || field.mandatory)) continue;
    kept[name] = field.kind === 'primitive' || name.startsWith('_') ? child : shortened(child, field.type);
  }
  return kept;
}

function shortened(value: unknown, type: string): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => shortened(item, type));
  // Nothing is known about the elements of a resource inside another one.
  if (typeof value !== 'object' || value === null || type === 'Resource') return value;
  const short = summaryOf(value, type);
  // An object of FHIR JSON is never empty (R4 §2.6.2): without any summary element it stays whole.
  return Object.keys(short).length > 0 ? short : value;
}

const fieldMaps = new Map<string, ReadonlyMap<string, Field>>();

function fieldsByName(type: string): ReadonlyMap<string, Field> {
  let fields = fieldMaps.get(type);
  if (!fields) {
    fields = new Map(fieldsOf(type).map((field) => [field.name, field]));
    fieldMaps.set(type, fields);
  }
  return fields;
}

/** Adds the contained resources to which a part refers: without them it would not be valid (R4 §2.27.1.3, §2.3.0.3). */
function withContained(part: Resource, whole: Resource): Resource {
  const all = (whole as DomainResource).contained ?? [];
  if (all.length === 0) return part;
  let contained: Resource[] = [];
  for (;;) {
    const named = localReferences([part, contained]);
    const next = all.filter(({ id }) => named.has(`#${id}`));
    if (next.length === contained.length) break;
    contained = next;
  }
  return contained.length > 0 ? ({ ...part, contained } as Resource) : part;
}

function localReferences(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value !== 'object' || value === null) return found;
  for (const [name, child] of Object.entries(value)) {
    if (name === 'reference' && typeof child === 'string' && child.startsWith('#')) found.add(child);
    else localReferences(child, found);
  }
  return found;
}
