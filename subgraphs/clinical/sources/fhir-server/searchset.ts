import type { Bundle, BundleEntry, OperationOutcome, OperationOutcomeIssue, Resource } from 'fhir/r4.js';
import { FHIR_ID, parseReference } from '../../../../schema/fhir/fhir.ts';
import { unreadable } from '../fhir-server-fault.ts';

/** A Bundle of search results, read with care: servers break the profile in many ways. */
export interface Searchset {
  /** Matches of the type, each with an id, each id once. */
  resources: Resource[];
  /** Number of entries that are matches, also those that cannot be used. */
  returned: number;
  total?: number;
  self?: string;
  next?: string;
  /** Texts of the warnings that the server added. */
  warnings: string[];
}

/**
 * Reads the answer to a search.
 * @throws Fault `bad_gateway` for anything but a Bundle, and when the server says that something is missing in it
 */
export function readSearchset(answer: unknown, type: string): Searchset {
  const bundle = answer as Partial<Bundle> | null;
  if (bundle?.resourceType !== 'Bundle') throw unreadable('the search was not answered with a Bundle');
  const entries = list<BundleEntry>(bundle.entry);
  const matches = entries.filter(
    ({ resource, search }) => resource?.resourceType === type && search?.mode !== 'include',
  );
  const byId = new Map<string, Resource>();
  for (const { resource, fullUrl } of matches) {
    const found = withOwnId(resource as Resource, fullUrl);
    if (found && !byId.has(found.id!)) byId.set(found.id!, found);
  }
  const { total } = bundle;
  return {
    resources: [...byId.values()],
    returned: matches.length,
    warnings: type === 'OperationOutcome' ? [] : warningsIn(entries),
    ...(Number.isSafeInteger(total) && total! >= 0 && { total: total! }),
    ...linked(bundle, 'self'),
    ...linked(bundle, 'next'),
  };
}

/** Gives a resource without an id the one of its URL; undefined when there is none: it can be neither read nor linked. */
function withOwnId(resource: Resource, fullUrl: unknown): Resource | undefined {
  if (typeof resource.id === 'string' && FHIR_ID.test(resource.id)) return resource;
  const target = typeof fullUrl === 'string' ? parseReference(fullUrl) : undefined;
  return target?.type === resource.resourceType ? { ...resource, id: target.id } : undefined;
}

function linked<Name extends string>(bundle: Partial<Bundle>, name: Name): Partial<Record<Name, string>> {
  const url: unknown = list(bundle.link).find(({ relation }) => relation === name)?.url;
  return (typeof url === 'string' && url !== '' ? { [name]: url } : {}) as Partial<Record<Name, string>>;
}

/** Returns the warnings of a server about its answer. @throws Fault `bad_gateway` for an error */
function warningsIn(entries: readonly BundleEntry[]): string[] {
  const issues = entries
    .filter(({ resource }) => resource?.resourceType === 'OperationOutcome')
    .flatMap(({ resource }) => list<OperationOutcomeIssue>((resource as OperationOutcome).issue));
  // The text of the server may name patients and hosts.
  if (issues.some(({ severity }) => severity === 'error' || severity === 'fatal')) {
    throw unreadable('it says that its answer is not complete');
  }
  return issues
    .filter(({ severity }) => severity === 'warning')
    .map(({ diagnostics, details, expression, location }) =>
      JSON.stringify([diagnostics, details?.text, expression, location]),
    );
}

/** Returns the objects of a list; an empty list for anything else. */
function list<T extends object>(value: readonly T[] | undefined): T[] {
  return Array.isArray(value)
    ? (value as unknown[]).filter((item): item is T => typeof item === 'object' && item !== null)
    : [];
}
