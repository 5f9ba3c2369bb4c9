import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import { parseReference } from '../../../schema/fhir/fhir.ts';
import { chunksByLength, MAX_IDS_LENGTH } from '../../../schema/fhir/id-chunks.ts';
import type { Clinical } from './clinical.ts';
import type { IncludeRule } from './include-rules.ts';
import { readIfAllowed } from './read-if-allowed.ts';

/** Resources that are added to one page, and references that are followed for it. */
export const MAX_INCLUDED = 1_000;
/** Steps of `:iterate`; a chain of references may have no end. */
const MAX_STEPS = 5;

interface Included {
  /** Each resource once, without those of the page. */
  resources: Resource[];
  /** One for each part that is missing: because of a limit, or because the caller may not see a type. */
  incomplete: Fault[];
}

/**
 * Finds the resources that `_include` and `_revinclude` add to a page (R4 §3.1.1.5.4). They are read and searched as the caller
 * would do it, so nothing out of the caller's reach is among them; a reference that leads nowhere, or out of reach, adds
 * nothing. All reads of a type are one request to the source, and so is each `_revinclude`.
 */
export async function includesOf(
  clinical: Clinical,
  page: readonly Resource[],
  rules: readonly IncludeRule[],
): Promise<Included> {
  const known = new Set(page.map(nameOf));
  const resources: Resource[] = [];
  const incomplete: Fault[] = [];
  const attempted = new Set<string>();
  const refused = new Set<string>();
  let layer: readonly Resource[] = page;
  for (let step = 0; layer.length > 0; step++) {
    const active = step === 0 ? rules : rules.filter(({ iterate }) => iterate);
    if (active.length === 0) break;
    if (step === MAX_STEPS) {
      incomplete.push(tooMuch(`:iterate follows at most ${MAX_STEPS} references one after another.`));
      break;
    }
    const room = MAX_INCLUDED - resources.length;
    const references = namedBy(clinical, layer, active);
    for (const type of references.refused) refused.add(type);
    const named = references.named.filter((one) => !known.has(one) && !attempted.has(one));
    const followed = named.slice(0, Math.max(0, MAX_INCLUDED - attempted.size));
    for (const one of followed) attempted.add(one);
    const found = await Promise.all([
      readAll(clinical, followed),
      ...active
        .filter(({ direction }) => direction === 'revinclude')
        .map((rule) => referringTo(clinical, layer, { ...rule, count: room + 1 })),
    ]);
    const added = found.flat().filter((resource) => isFirst(resource, known));
    layer = added.slice(0, room);
    resources.push(...layer);
    if (added.length > room || followed.length < named.length) {
      incomplete.push(
        tooMuch(`Only ${MAX_INCLUDED} resources are included on a page: ask for less with _count.`),
      );
      break;
    }
  }
  if (refused.size > 0) {
    const types = [...refused].sort().join(', ');
    incomplete.push(
      new Fault('forbidden', `Not included, because the token does not show them here: ${types}.`),
    );
  }
  return { resources, incomplete };
}

/** Returns true for the first resource of a name, which is then known. */
function isFirst(resource: Resource, known: Set<string>): boolean {
  const name = nameOf(resource);
  if (known.has(name)) return false;
  known.add(name);
  return true;
}

/**
 * Returns the resources (`Patient/1`) to which the rules lead from these, each once, without contained and foreign ones; and
 * the types that are referred to, but not shown to the caller.
 */
function namedBy(
  clinical: Clinical,
  layer: readonly Resource[],
  rules: readonly IncludeRule[],
): { named: string[]; refused: Set<string> } {
  const named = new Set<string>();
  const refused = new Set<string>();
  for (const rule of rules) {
    if (rule.direction !== 'include') continue;
    for (const resource of layer) {
      if (resource.resourceType !== rule.type) continue;
      for (const reference of clinical.referenced(resource, rule.code)) {
        const target = /^[a-z]+:/i.test(reference) ? undefined : parseReference(reference);
        if (!target) continue;
        if (rule.targets.includes(target.type)) named.add(`${target.type}/${target.id}`);
        else if (rule.refused.includes(target.type)) refused.add(target.type);
      }
    }
  }
  return { named: [...named], refused };
}

/** Reads resources by their names (`Patient/1`); those that are missing or out of reach are left out. */
export async function readAll(clinical: Clinical, names: readonly string[]): Promise<Resource[]> {
  const read = names.map((name) => {
    const [type = '', id = ''] = name.split('/');
    return readIfAllowed(clinical.read(type, id));
  });
  return (await Promise.all(read)).filter((resource) => resource !== undefined);
}

/** Searches the resources that refer to these by the parameter of a rule. */
async function referringTo(
  clinical: Clinical,
  layer: readonly Resource[],
  { type, code, targets, count }: IncludeRule & { count: number },
): Promise<Resource[]> {
  const names = layer.filter(({ resourceType }) => targets.includes(resourceType)).map(nameOf);
  if (names.length === 0) return [];
  const { local } = await clinical.backend();
  const pages = chunksByLength(names, local ? Number.MAX_SAFE_INTEGER : MAX_IDS_LENGTH).map((chunk) =>
    clinical.search(type, { params: [[code, chunk.join(',')]], count, strict: true }),
  );
  const wanted = new Set(names);
  // A server may have ignored the parameter.
  const refers = (resource: Resource) => clinical.referenced(resource, code).some((one) => wanted.has(one));
  return (await Promise.all(pages)).flatMap(({ resources }) => resources.filter(refers));
}

const nameOf = ({ resourceType, id }: Resource): string => `${resourceType}/${id}`;

const tooMuch = (message: string): Fault => new Fault('too_large', message);
