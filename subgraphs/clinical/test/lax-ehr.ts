/** A FHIR server that breaks the standard in the ways that EHRs do, over given resources. It shares no code with the product. */
import type { Resource } from 'fhir/r4.js';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How the server behaves; a test may change it at any time. */
export interface LaxBehaviour {
  /** Parameters that it ignores, as written (`status`, `_sort`). */
  ignores: readonly string[];
  /** Its self link: what it applied, what was asked, the parameters as they are in the answer, or none. */
  self: 'applied' | 'asked' | 'none';
  /** Its answer when `handling=strict` asks for a parameter that it ignores, or at all. */
  strict: 'ignores' | 'refuses unknown' | 'refuses always';
  /** Largest page. */
  cap: number;
  next:
    'right' | 'none' | 'same page' | 'circle' | 'other url' | 'other type' | 'other server' | 'internal host';
  /** `total` of a Bundle, computed from the number of matches; undefined: none. */
  total: ((matches: number) => number | undefined) | undefined;
  /** Whether it continues a search at `_offset`. */
  offsets: boolean;
  /** Whether `_summary=count` is understood. */
  counts: boolean;
  metadata: 'none' | 'right' | 'html' | 'huge' | 'silent';
  /** Search parameters that it declares. */
  declares: readonly string[];
  /** Issues that it adds to each answer. */
  issues: readonly object[];
  /** Changes the entries of a page. */
  page: (entries: unknown[]) => unknown[];
  /** Answers in its place. @returns false to let the server answer */
  instead: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
}

const HONEST: LaxBehaviour = {
  ignores: [],
  self: 'applied',
  strict: 'refuses unknown',
  cap: 1_000,
  next: 'right',
  counts: true,
  offsets: false,
  total: (matches) => matches,
  metadata: 'none',
  declares: [],
  issues: [],
  page: (entries) => entries,
  instead: undefined,
};

export interface LaxEhr {
  base: string;
  behaviour: LaxBehaviour;
  /** Path and query of each request, without those for `/metadata`. */
  requests: string[];
  /** Number of requests for `/metadata`. */
  metadata: number;
  /** Values of `Prefer`, in the order of `requests`. */
  prefers: (string | undefined)[];
  /** Forgets requests and behaves well again. */
  reset(): void;
  end(): Promise<void>;
}

type Loose = Resource & Record<string, unknown>;
type Predicate = (resource: Loose, value: string) => boolean;

/** Text of a member at any depth, for naive comparisons. */
const textAt = (resource: Loose, field: string): string => JSON.stringify(resource[field] ?? null);
const dateOf = (resource: Loose): string =>
  String(resource['effectiveDateTime'] ?? resource['birthDate'] ?? resource['onsetDateTime'] ?? '');
const subject: Predicate = (resource, value) =>
  textAt(resource, 'subject').includes(`Patient/${value.replace(/^Patient\//, '')}"`);

/** Naive search parameters; values are joined by OR. */
const PARAMETERS: Record<string, Predicate> = {
  _id: ({ id }, value) => id === value,
  status: ({ status }, value) => status === value,
  gender: ({ gender }, value) => gender === value,
  category: (resource, value) => textAt(resource, 'category').includes(`"code":"${value}"`),
  code: (resource, value) => textAt(resource, 'code').includes(`"code":"${value.split('|').at(-1)}"`),
  identifier: (resource, value) =>
    textAt(resource, 'identifier')
      .toLowerCase()
      .includes(`"value":"${value.split('|').at(-1)!.toLowerCase()}"`),
  name: (resource, value) => textAt(resource, 'name').toLowerCase().includes(value.toLowerCase()),
  subject,
  patient: subject,
  date: (resource, value) => {
    const date = dateOf(resource);
    if (value.startsWith('ge')) return date >= value.slice(2);
    if (value.startsWith('lt')) return date < value.slice(2);
    return date.startsWith(value);
  },
  'patient.gender': () => true,
};

const RESULTS = new Set(['_count', '_offset', '_sort', '_summary', '_total', 'page']);

/** Starts the server on a free port. */
export async function startLaxEhr(
  resources: readonly Resource[],
  initial: Partial<LaxBehaviour> = {},
): Promise<LaxEhr> {
  const server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir`;
  const ehr: LaxEhr = {
    base,
    behaviour: { ...HONEST, ...initial },
    requests: [],
    prefers: [],
    metadata: 0,
    reset() {
      ehr.behaviour = { ...HONEST, ...initial };
      ehr.requests.length = ehr.prefers.length = ehr.metadata = 0;
    },
    end: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').replace('/fhir', '');
    if (path === '/metadata') return metadata(response, ehr);
    ehr.requests.push(decodeURIComponent(path));
    ehr.prefers.push(request.headers.prefer as string | undefined);
    if (ehr.behaviour.instead?.(request, response)) return;
    const url = new URL(path, 'http://ehr/');
    const [, type = '', id] = url.pathname.split('/');
    if (id !== undefined) {
      const found = resources.find((resource) => resource.resourceType === type && resource.id === id);
      return send(response, found ? 200 : 404, found ?? { resourceType: 'OperationOutcome' });
    }
    const { strict, ignores } = ehr.behaviour;
    const isStrict = request.headers.prefer === 'handling=strict';
    const names = [...url.searchParams.keys()].filter((name) => !RESULTS.has(name));
    const unknown = names.some((name) => ignores.includes(name) || !PARAMETERS[name]);
    const refuses = strict === 'refuses always' || (strict === 'refuses unknown' && unknown);
    if (isStrict && refuses) return send(response, 400, { resourceType: 'OperationOutcome' });
    send(response, 200, searchset(type, url, resources as readonly Loose[], ehr));
  }
  return ehr;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/fhir+json' }).end(JSON.stringify(body));
}

function searchset(type: string, { searchParams: query }: URL, all: readonly Loose[], ehr: LaxEhr): object {
  const { behaviour: lax, base } = ehr;
  const applied = [...query].filter(
    ([name]) => !lax.ignores.includes(name) && (RESULTS.has(name) || PARAMETERS[name] !== undefined),
  );
  const conditions = applied.filter(([name]) => !RESULTS.has(name));
  const matches = all
    .filter(({ resourceType }) => resourceType === type)
    .filter((resource) =>
      conditions.every(([name, value]) => value.split(',').some((part) => PARAMETERS[name]!(resource, part))),
    );
  const sort = applied.find(([name]) => name === '_sort')?.[1];
  if (sort) matches.sort((a, b) => dateOf(a).localeCompare(dateOf(b)) * (sort.startsWith('-') ? -1 : 1));
  const total = lax.total?.(matches.length);
  const selfQuery = new URLSearchParams(lax.self === 'asked' ? [...query] : applied);
  const counted = query.get('_summary') === 'count' && lax.counts;
  const size = Math.min(Number(query.get('_count') ?? lax.cap), lax.cap);
  const page = Number(query.get('page') ?? 0);
  const start = lax.offsets ? Number(query.get('_offset') ?? 0) : page * size;
  const entries = lax.page(matches.slice(start, start + size).map((resource) => ({ resource })));
  const next = nextOf(type, query, lax, { page, isLast: (page + 1) * size >= matches.length });
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    ...(counted ? { total: matches.length } : total !== undefined && { total }),
    link: [
      ...(lax.self === 'none' ? [] : [{ relation: 'self', url: `${base}/${type}?${selfQuery.toString()}` }]),
      ...(next === undefined || counted
        ? []
        : [{ relation: 'next', url: next.startsWith('http') ? next : `${base}${next}` }]),
    ],
    entry: [
      ...(counted ? [] : entries),
      ...(lax.issues.length > 0
        ? [{ resource: { resourceType: 'OperationOutcome', issue: lax.issues }, search: { mode: 'outcome' } }]
        : []),
    ],
  };
}

function nextOf(
  type: string,
  query: URLSearchParams,
  { next }: LaxBehaviour,
  { page, isLast }: { page: number; isLast: boolean },
): string | undefined {
  const at = (number: number, more: [string, string][] = []): string => {
    const params = new URLSearchParams([...query].filter(([name]) => name !== 'page'));
    params.set('page', String(number));
    for (const [name, value] of more) params.set(name, value);
    return `/${type}?${params.toString()}`;
  };
  switch (next) {
    case 'none':
      return undefined;
    case 'same page':
      return `/${type}?${query.toString()}`;
    case 'circle':
      return at(page === 1 ? 0 : 1);
    case 'other url':
      return at(0, [['nonce', String(Math.random())]]);
    case 'other type':
      return '/Practitioner?page=1';
    case 'other server':
      return 'http://evil.example/x?page=1';
    case 'internal host':
      return isLast ? undefined : `http://internal.host:8080/fhir${at(page + 1)}`;
    default:
      return isLast ? undefined : at(page + 1);
  }
}

function metadata(response: ServerResponse, ehr: LaxEhr): void {
  ehr.metadata++;
  const { metadata: kind, declares } = ehr.behaviour;
  if (kind === 'none') return send(response, 404, {});
  if (kind === 'silent') return;
  if (kind === 'html') return void response.end('<html>');
  if (kind === 'huge') return void response.end(`"${'x'.repeat(17_000_000)}"`);
  const searchParam = declares.map((name) => ({ name, type: 'token' }));
  const resource = ['Patient', 'Observation', 'Condition'].map((type) => ({
    type,
    interaction: [{ code: 'read' }, { code: 'search-type' }],
    searchParam,
    searchInclude: ['Observation:subject'],
  }));
  send(response, 200, {
    resourceType: 'CapabilityStatement',
    status: 'active',
    fhirVersion: '4.0.1',
    rest: [{ mode: 'server', searchParam: [{ name: '_id', type: 'token' }], resource }],
  });
}
