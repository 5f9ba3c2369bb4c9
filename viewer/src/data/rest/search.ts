/** Reads and searches of a FHIR R4 server (§3.1.0, §3.1.1), with all pages of a search up to a limit. */
import { present, type List, type Maybe } from '../fhir/shapes.ts';
import { damaged, type Transport } from '../transport.ts';

export interface FhirServer {
  /** FHIR base URL, without a slash at the end. */
  base: string;
  transport: Transport;
}

export interface Asking extends FhirServer {
  signal: AbortSignal;
}

/** A resource of any type; the types of `fhir/shapes.ts` say what is read of it. */
export type Resource = { resourceType?: Maybe<string>; id?: Maybe<string> };

export interface BundleEntry<T> {
  fullUrl?: Maybe<string>;
  resource?: Maybe<T>;
  search?: Maybe<{ mode?: Maybe<string> }>;
}

interface Bundle {
  entry?: List<BundleEntry<Resource>>;
  link?: List<{ relation?: Maybe<string>; url?: Maybe<string> }>;
}

export interface Found<T> {
  matches: T[];
  /** Everything else: what was included. */
  included: BundleEntry<Resource>[];
  /** Why the matches are not all, in words; undefined if they are. */
  incomplete: string | undefined;
  /** The next page, if it was not read. */
  next: string | undefined;
}

export type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Resources of one answer, and answers that are read for one search. */
const ON_A_PAGE = 200;
const MOST_PAGES = 10;
const FHIR_JSON = 'application/fhir+json, application/json;q=0.9';

/** @throws Trouble; the reason of the signal */
export async function read<T extends Resource>(
  { base, transport, signal }: Asking,
  type: string,
  id: string,
): Promise<T> {
  const url = `${base}/${type}/${encodeURIComponent(id)}`;
  const resource = (await transport.json(url, { accept: FHIR_JSON, signal })) as T | null;
  if (resource?.resourceType !== type) throw damaged(url, `is no ${type}`);
  return resource;
}

/**
 * Searches, and reads the pages one after another.
 * @throws Trouble; the reason of the signal
 */
export async function search<T extends Resource>(
  server: Asking,
  type: string,
  parameters: Parameters,
): Promise<Found<T>> {
  const first = `${server.base}/${type}?${queryOf({ _count: String(ON_A_PAGE), ...parameters })}`;
  const found = await page<T>(server, type, first);
  for (let pages = 1; found.next !== undefined && pages < MOST_PAGES; pages++) {
    const more = await page<T>(server, type, found.next);
    found.matches.push(...more.matches);
    found.included.push(...more.included);
    found.incomplete ??= more.incomplete;
    found.next = more.next === found.next ? undefined : more.next;
  }
  if (found.next !== undefined)
    found.incomplete ??= `Only the first ${found.matches.length} of the type ${type} were read.`;
  return found;
}

/** Reads one page of a search. @throws Trouble; the reason of the signal */
export async function page<T extends Resource>(
  { transport, signal }: Asking,
  type: string,
  url: string,
): Promise<Found<T>> {
  const bundle = (await transport.json(url, { accept: FHIR_JSON, signal })) as (Bundle & Resource) | null;
  if (bundle?.resourceType !== 'Bundle') throw damaged(url, 'is no Bundle');
  const entries = present(bundle.entry);
  const isMatch = ({ search, resource }: BundleEntry<Resource>): boolean =>
    resource?.resourceType === type && search?.mode !== 'include';
  const next = present(bundle.link).find(({ relation }) => relation === 'next')?.url;
  return {
    matches: entries.filter(isMatch).map(({ resource }) => resource as T),
    included: entries.filter((entry) => entry.resource && !isMatch(entry)),
    incomplete: entries.map(({ resource }) => reasonOf(resource)).find((one) => one !== undefined),
    // A server may give it relative to its base (R4 §3.1.1.4.12).
    next: next && URL.canParse(next, url) ? new URL(next, url).href : undefined,
  };
}

export function queryOf(parameters: Parameters): string {
  const pairs = Object.entries(parameters).flatMap(([name, values]) =>
    [values ?? []].flat().map((value): [string, string] => [name, value]),
  );
  return new URLSearchParams(pairs).toString();
}

/** Issue types that say that a search was not complete (R4 IssueType); others say how it was understood. */
const INCOMPLETE = new Set([
  'incomplete',
  'transient',
  'timeout',
  'exception',
  'throttled',
  'too-costly',
  'lock-error',
]);

interface Outcome extends Resource {
  issue?: List<{ severity?: Maybe<string>; code?: Maybe<string>; diagnostics?: Maybe<string> }>;
}

function reasonOf(resource: Maybe<Resource>): string | undefined {
  if (resource?.resourceType !== 'OperationOutcome') return undefined;
  const issue = present((resource as Outcome).issue).find(
    ({ severity, code }) => severity === 'error' || severity === 'fatal' || INCOMPLETE.has(code ?? ''),
  );
  return issue && (issue.diagnostics ?? 'The server says that its answer is not complete.');
}
