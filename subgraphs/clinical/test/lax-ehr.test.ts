/** REST and GraphQL of a tenant over a FHIR server that ignores, cuts, reorders, loops and lies: never wider, never shorter. */
import type { Bundle, Observation, Resource } from 'fhir/r4.js';
import type { ServerResponse } from 'node:http';
import { graphql } from 'graphql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FhirServer } from '../sources/fhir-server.ts';
import { FhirServersShared } from '../sources/fhir-server/shared.ts';
import { accessOf, fhirApp, startClinical, tenantOf } from './servers.ts';
import type { LaxBehaviour, LaxEhr } from './lax-ehr.ts';
import { startLaxEhr } from './lax-ehr.ts';

const CATEGORIES = ['laboratory', 'vital-signs', 'survey'];
const PATIENTS = ['ana', 'bob'].map((id, i) => ({
  ...{ resourceType: 'Patient', id, gender: i ? 'male' : 'female', birthDate: `198${i}-05-02` },
  name: [{ family: i ? 'Nunn' : 'Peters' }],
  identifier: [{ system: 'urn:mrn', value: `MRN-${id}` }],
}));
/** 45 Observations, 30 of ana; dates do not follow the order of the list. */
const OBSERVATIONS = Array.from({ length: 45 }, (_, i) => ({
  ...{
    resourceType: 'Observation',
    id: `o${String(i).padStart(2, '0')}`,
    status: i % 3 ? 'final' : 'preliminary',
  },
  subject: { reference: `Patient/${i % 3 === 2 ? 'bob' : 'ana'}` },
  category: [{ coding: [{ system: 'urn:c', code: CATEGORIES[i % 2] }] }],
  code: { coding: [{ system: 'urn:o', code: `c${i % 5}` }] },
  effectiveDateTime: `2024-01-${String(1 + ((i * 5) % 28)).padStart(2, '0')}`,
}));
const idsOf = (keep: (observation: (typeof OBSERVATIONS)[number], i: number) => boolean) =>
  OBSERVATIONS.filter(keep).map(({ id }) => id);
const FINAL = idsOf(({ status }) => status === 'final');
const FINAL_OF_ANA = idsOf(
  ({ status, subject }) => status === 'final' && subject.reference === 'Patient/ana',
);

let clinical: Awaited<ReturnType<typeof startClinical>>;
let ehr: LaxEhr;

beforeAll(async () => {
  clinical = await startClinical();
});
afterAll(() => clinical.end());

async function started(resources: readonly object[] = [...PATIENTS, ...OBSERVATIONS]): Promise<LaxEhr> {
  return startLaxEhr(resources as Resource[]);
}

type Patients = readonly string[] | 'all';
const tenant = () => tenantOf({ type: 'fhir', baseUrl: ehr.base });

async function rest(search: string, { strict = false, patients = 'all' as Patients } = {}) {
  const app = fhirApp(clinical.subgraph, tenant(), () => accessOf('patient/*.rs', patients));
  const answer = await app.inject({
    url: search.startsWith('/') ? search : `/test/fhir/${search}`,
    headers: strict ? { prefer: 'handling=strict' } : {},
  });
  await app.close();
  const bundle = answer.json<Bundle>();
  const link = (name: string) => bundle.link?.find(({ relation }) => relation === name)?.url;
  const ids = (bundle.entry ?? [])
    .filter(({ search }) => search?.mode !== 'outcome')
    .map(({ resource }) => resource?.id);
  return {
    status: answer.statusCode,
    headers: answer.headers,
    bundle,
    ids,
    self: link('self'),
    next: link('next'),
  };
}

interface Answer {
  data: Record<
    string,
    { id: string }[] & { edges: { resource: { id: string } }[]; next: string | null; count: number }
  >;
  errors?: { message: string; extensions: { code: string } }[];
}

async function ask(source: string, patients: Patients = 'all'): Promise<Answer> {
  const contextValue = { clinical: clinical.subgraph.open(tenant(), accessOf('patient/*.rs', patients)) };
  const result = await graphql({ schema: clinical.subgraph.schema, source, contextValue });
  return JSON.parse(JSON.stringify(result)) as Answer;
}

/** Ids of the only list in an answer, or the code of its error. */
async function list(source: string, patients: Patients = 'all'): Promise<string[] | string> {
  const { data, errors } = await ask(`{ list: ${source} { id } }`, patients);
  return errors ? errors[0]!.extensions.code : data['list']!.map(({ id }) => id);
}

// A new server for each test: what was learnt of one is remembered.
beforeEach(async () => {
  ehr = await started();
});
afterEach(() => ehr.end());

describe('parameters that the server ignores', () => {
  const ignoring: [what: string, behaviour: Partial<LaxBehaviour>][] = [
    ['says so in its self link', { self: 'applied' }],
    ['repeats the search in its self link', { self: 'asked' }],
    ['has no self link', { self: 'none' }],
    [
      'has no self link and declares the parameter',
      { self: 'none', metadata: 'right', declares: ['status'] },
    ],
    ['refuses it when strict', { strict: 'refuses unknown' }],
    ['ignores it when strict', { strict: 'ignores' }],
    ['refuses each strict search', { strict: 'refuses always' }],
    [
      'says so in a warning',
      {
        self: 'asked',
        issues: [{ severity: 'warning', code: 'not-supported', diagnostics: 'Unknown: status' }],
      },
    ],
    ['pages', { cap: 7 }],
    ['pages, without self link', { cap: 7, self: 'none' }],
    ['pages under its internal host', { cap: 7, next: 'internal host' }],
  ];

  describe.each(ignoring)('FG-20 a server that ignores `status` and %s', (_what, behaviour) => {
    beforeEach(() => Object.assign(ehr.behaviour, { ignores: ['status'], strict: 'ignores', ...behaviour }));

    test('gives final Observations only, in lists, connections, nested lists and bundles', async () => {
      expect(await list('ObservationList(status: ["final"])')).toEqual(FINAL);
      const connection = await ask(
        '{ all: ObservationConnection(status: ["final"], _count: 100) { count edges { resource { id } } } }',
      );
      expect(connection.data['all']!.edges.map(({ resource }) => resource.id)).toEqual(FINAL);
      expect([null, FINAL.length]).toContain(connection.data['all']!.count);
      const nested = await ask('{ Patient(id: "ana") { ObservationList(status: ["final"]) { id } } }', [
        'ana',
      ]);
      expect(nested.data['Patient']).toMatchObject({ ObservationList: FINAL_OF_ANA.map((id) => ({ id })) });
      const { ids, self, bundle } = await rest('Observation?status=final&_count=100');
      expect(ids).toEqual(FINAL);
      expect(self).toContain('status=final');
      expect([undefined, FINAL.length]).toContain(bundle.total);
    });

    test('leads through all pages', async () => {
      const found: unknown[] = [];
      for (let url: string | undefined = 'Observation?status=final&_count=4'; url !== undefined;) {
        const page: Awaited<ReturnType<typeof rest>> = await rest(url);
        expect(page.status).toBe(200);
        found.push(...page.ids);
        url = page.next?.replace(/^https?:\/\/[^/]+/, '');
      }
      expect(found).toEqual(FINAL);
    });
  });
});

describe('what cannot be decided here', () => {
  const chain = 'Observation?patient.gender=male';

  test.each<[what: string, behaviour: Partial<LaxBehaviour>, ids: number, status: number]>([
    ['applies', {}, OBSERVATIONS.length, 200],
    ['does not mention', { ignores: ['patient.gender'] }, OBSERVATIONS.length, 400],
    [
      'refuses when strict, and repeats',
      { ignores: ['patient.gender'], self: 'asked', strict: 'refuses unknown' },
      OBSERVATIONS.length,
      400,
    ],
    ['answers without a self link', { self: 'none' }, OBSERVATIONS.length, 400],
    [
      'warns of',
      { issues: [{ severity: 'warning', diagnostics: 'no patient.gender here' }] },
      OBSERVATIONS.length,
      400,
    ],
  ])(
    'FG-20 a chain that the server %s: lenient it is told, strict refused',
    async (_what, behaviour, count, status) => {
      Object.assign(ehr.behaviour, { strict: 'ignores', ...behaviour });
      const lenient = await rest(`${chain}&_count=100`);
      expect(lenient.ids).toHaveLength(count);
      expect(lenient.self?.includes('patient.gender')).toBe(status === 200);
      const strict = await rest(chain, { strict: true });
      expect(strict.status).toBe(status);
      if (status === 400) expect(JSON.stringify(strict.bundle)).toContain('patient.gender');
    },
  );

  test('a chain through a reference that the server does not declare is not sent', async () => {
    Object.assign(ehr.behaviour, { metadata: 'right', declares: ['status'] });
    await rest('Observation?status=final');
    const strict = await rest(chain, { strict: true });
    expect(strict.status).toBe(400);
    expect(ehr.requests).toHaveLength(1);
  });

  test('what a page ignores is still known on the next pages', async () => {
    Object.assign(ehr.behaviour, { ignores: ['patient.gender'], strict: 'ignores', cap: 10 });
    const first = await rest(`${chain}&_count=10`);
    const second = await rest(first.next!.replace(/^https?:\/\/[^/]+/, ''));
    expect(second.ids).toHaveLength(10);
    expect(second.self).not.toContain('patient.gender');
  });
});

describe('a wider meaning of the server stays, what is certainly wrong does not', () => {
  test.each<[search: string, ids: string[]]>([
    ['Patient?name=eters', ['ana']],
    ['Patient?identifier=urn:mrn|mrn-ANA', ['ana']],
    ['Patient?identifier=urn:other|MRN-ana', []],
    ['Patient?_id=ana', ['ana']],
    ['Patient?gender=male', ['bob']],
  ])('%s', async (search, ids) => {
    expect((await rest(search)).ids).toEqual(ids);
  });

  test.each<[search: string, ids: string[]]>([
    ['Observation?patient=bob&_count=100', idsOf((_, i) => i % 3 === 2)],
    ['Observation?subject=Patient/bob&_count=100', idsOf((_, i) => i % 3 === 2)],
    ['Observation?category=survey', []],
    ['Observation?code=urn:o|c1&_count=100', idsOf((_, i) => i % 5 === 1)],
    ['Observation?_id=o01,o02', ['o01', 'o02']],
    ['Patient?identifier=MRN-bob', ['bob']],
  ])('a server that ignores all parameters and says the contrary: %s', async (search, ids) => {
    Object.assign(ehr.behaviour, { self: 'asked', strict: 'ignores' });
    ehr.behaviour.ignores = ['patient', 'subject', 'category', 'code', '_id', 'identifier'];
    expect((await rest(search)).ids).toEqual(ids);
  });

  test('dates of a server that says it applied them may differ by its zone, not by more', async () => {
    Object.assign(ehr.behaviour, { self: 'asked', strict: 'ignores', ignores: ['date'] });
    const { bundle } = await rest('Observation?date=2024-01-10&_count=100');
    const dates = (bundle.entry ?? []).map(({ resource }) => (resource as Observation).effectiveDateTime);
    expect(new Set(dates)).toEqual(new Set(['2024-01-09', '2024-01-10', '2024-01-11']));
    ehr.behaviour.self = 'applied';
    const exact = await rest('Observation?date=2024-01-10&_count=100');
    expect(exact.ids).toEqual(idsOf(({ effectiveDateTime }) => effectiveDateTime === '2024-01-10'));
  });

  test('references under the internal base of a server are found', async () => {
    ehr.behaviour.page = (entries) =>
      JSON.parse(
        JSON.stringify(entries).replaceAll('"Patient/', '"http://internal.host/fhir/Patient/'),
      ) as unknown[];
    expect((await rest('Observation?subject=Patient/bob&_count=100')).ids).toHaveLength(15);
  });
});

describe('order', () => {
  const byDate = [...OBSERVATIONS].sort((a, b) => b.effectiveDateTime.localeCompare(a.effectiveDateTime));
  const dates = (answer: Awaited<ReturnType<typeof ask>>) =>
    answer.data['list']!.map(({ id }) => OBSERVATIONS.find((one) => one.id === id)!.effectiveDateTime);

  test.each<[what: string, behaviour: Partial<LaxBehaviour>]>([
    ['ignores it', {}],
    ['ignores it and repeats it', { self: 'asked' }],
    ['ignores it without self link', { self: 'none' }],
    ['pages', { cap: 10 }],
  ])('a whole list is sorted here when the server %s', async (_what, behaviour) => {
    Object.assign(ehr.behaviour, { ignores: ['_sort'], ...behaviour });
    expect(dates(await ask('{ list: ObservationList(_sort: ["-date"]) { id } }'))).toEqual(
      byDate.map(({ effectiveDateTime }) => effectiveDateTime),
    );
    const { ids, self } = await rest('Observation?_sort=-date&_count=100');
    expect(ids).toHaveLength(45);
    expect(self).toContain('_sort=-date');
  });

  test('a part of a list that is not sorted is refused by GraphQL; REST says that it is not sorted', async () => {
    ehr.behaviour.ignores = ['_sort'];
    expect(await list('ObservationList(_sort: ["-date"], _count: 3)')).toBe('unsupported_parameter');
    const page = await rest('Observation?_sort=-date&_count=3');
    expect(page.self).not.toContain('_sort');
    expect((await rest('Observation?_sort=-date&_count=3', { strict: true })).status).toBe(400);
  });

  test('a server that sorts is believed', async () => {
    expect(await list('ObservationList(_sort: ["-date"], _count: 3)')).toHaveLength(3);
    expect((await rest('Observation?_sort=-date&_count=3')).self).toContain('_sort=-date');
  });
});

describe('a list is complete, or an error', () => {
  const all = OBSERVATIONS.map(({ id }) => id);

  test.each<[what: string, behaviour: Partial<LaxBehaviour>, expected: string[] | string]>([
    ['pages', { cap: 10 }, all],
    ['gives pages under its internal host', { cap: 10, next: 'internal host' }, all],
    ['gives no links, but takes offsets', { cap: 10, next: 'none', offsets: true }, all],
    [
      'gives no links and totals, but takes offsets',
      { cap: 10, next: 'none', offsets: true, total: undefined },
      all,
    ],
    ['gives no totals', { cap: 10, total: undefined }, all],
    ['cuts, and tells the total', { cap: 20, next: 'none' }, 'too_large'],
    ['cuts, and tells the total only when asked', { cap: 20, next: 'none', total: undefined }, 'too_large'],
    [
      'cuts, and has neither totals nor a self link',
      { cap: 20, next: 'none', total: undefined, self: 'none' },
      'too_large',
    ],
    ['says that there are more than it gives', { total: () => 4_251 }, 'too_large'],
    ['says that there are fewer', { total: () => 3 }, all],
    ['says something else than a number', { total: () => 'many' as never }, all],
    ['leads to the same page', { cap: 10, next: 'same page' }, 'bad_gateway'],
    ['leads in a circle', { cap: 10, next: 'circle' }, 'bad_gateway'],
    ['gives the first page under new URLs', { cap: 10, next: 'other url' }, 'bad_gateway'],
    ['leads to another type', { cap: 10, next: 'other type' }, 'bad_gateway'],
    ['leads to another server', { cap: 10, next: 'other server' }, 'bad_gateway'],
    [
      'says that it left something out',
      { issues: [{ severity: 'error', code: 'incomplete' }] },
      'bad_gateway',
    ],
    ['adds a hint', { issues: [{ severity: 'information', code: 'informational' }] }, all],
    ['repeats entries', { page: (entries) => [...entries, ...entries] }, all],
    [
      'repeats the end of a page on the next',
      { cap: 10, page: (entries) => [...entries, { resource: OBSERVATIONS[9] }] },
      all,
    ],
  ])('FG-2 of a server that %s', async (_what, behaviour, expected) => {
    Object.assign(ehr.behaviour, behaviour);
    const found = await list('ObservationList');
    expect(Array.isArray(found) ? found.toSorted() : found).toEqual(expected);
    expect(ehr.requests.length).toBeLessThan(12);
  });

  test('a first page is given although the rest cannot be reached; the next says so', async () => {
    Object.assign(ehr.behaviour, { cap: 20, next: 'none' });
    const first = await rest('Observation?_count=20');
    expect(first).toMatchObject({ status: 200, ids: all.slice(0, 20) });
    const second = await rest(first.next!.replace(/^https?:\/\/[^/]+/, ''));
    expect(second.status).toBe(413);
    expect(JSON.stringify(second.bundle)).toContain('Search more narrowly');
    expect(await list('ObservationList(_count: 5)')).toEqual(all.slice(0, 5));
  });

  test('reads of many ids ask a server that cuts again for the rest', async () => {
    Object.assign(ehr.behaviour, { cap: 20, next: 'none' });
    const record = clinical.subgraph.open(tenant(), accessOf('system/*.rs'));
    const found = await Promise.all(all.map((id) => record.read('Observation', id)));
    expect(found.map(({ id }) => id)).toEqual(all);
    expect(ehr.requests.length).toBeLessThan(5);
  });
});

describe('answers that are not usable', () => {
  const page = '{"resourceType":"Bundle","entry":[';
  test.each<[what: string, status: number, code: string, instead: LaxBehaviour['instead']]>([
    ['HTML with 200', 502, 'bad_gateway', (_, to) => !!to.end('<html>Sign in')],
    ['invalid JSON', 502, 'bad_gateway', (_, to) => !!to.end(page)],
    ['429', 429, 'too_many_requests', (_, to) => !!to.writeHead(429, { 'retry-after': '7' }).end('{}')],
    ['404 to a search', 501, 'not_implemented', (_, to) => !!to.writeHead(404).end()],
    ['a resource', 502, 'bad_gateway', (_, to) => !!to.end('{"resourceType":"Observation"}')],
    ['null', 502, 'bad_gateway', (_, to) => !!to.end('null')],
    ['1 GB', 502, 'bad_gateway', (_, to) => endless(to)],
  ])('FG-10 %s', async (what, status, code, instead) => {
    ehr.behaviour.instead = instead;
    const answer = await rest('Observation?status=final');
    expect(answer.status).toBe(status);
    if (what === '429') expect(answer.headers['retry-after']).toBe('7');
    expect(await list('ObservationList')).toBe(code);
  });

  /** Sends a gigabyte as long as somebody reads. */
  function endless(to: ServerResponse): boolean {
    const chunk = Buffer.alloc(1 << 20, ' ');
    let sent = 0;
    const more = (): void => {
      while (sent++ < 1_000) if (!to.write(chunk)) return void to.once('drain', more);
      to.end();
    };
    more();
    return true;
  }

  test('FG-10 a byte at a time is given up', async () => {
    const timers: NodeJS.Timeout[] = [];
    ehr.behaviour.instead = (_, to) => !!timers.push(setInterval(() => to.write(' '), 20));
    const shared = new FhirServersShared();
    const server = new FhirServer({ base: ehr.base, timeout: 100 }, shared);
    const search = server.search('Observation', { params: [], count: 10 });
    await expect(search).rejects.toMatchObject({ code: 'unavailable' });
    timers.forEach(clearInterval);
    shared.close();
  });
});

describe('resources that break the profile', () => {
  const good = OBSERVATIONS[0]!;
  test.each<[what: string, entry: unknown, survives: boolean]>([
    ['null', null, false],
    ['no resource', {}, false],
    ['a resource that is null', { resource: null }, false],
    ['another type', { resource: { ...good, resourceType: 'Condition', id: 'odd' } }, false],
    ['no id', { resource: { ...good, id: undefined } }, false],
    [
      'no id, but a URL',
      { resource: { ...good, id: undefined }, fullUrl: 'http://ehr/fhir/Observation/odd' },
      true,
    ],
    ['an id that is a number', { resource: { ...good, id: 7 } }, false],
    ['an id with a slash', { resource: { ...good, id: '../Patient/bob' } }, false],
    ['a subject that is null', { resource: { ...good, id: 'odd', subject: null } }, true],
    ['a subject that is a text', { resource: { ...good, id: 'odd', subject: 'Patient/ana' } }, true],
    ['a subject with a number', { resource: { ...good, id: 'odd', subject: { reference: 7 } } }, true],
    ['a coding that is null', { resource: { ...good, id: 'odd', code: { coding: [null] } } }, true],
    ['no status', { resource: { ...good, id: 'odd', status: undefined } }, true],
    ['a huge text', { resource: { ...good, id: 'odd', note: [{ text: 'x'.repeat(5_000_000) }] } }, true],
    [
      '10,000 components',
      { resource: { ...good, id: 'odd', component: Array.from({ length: 10_000 }, () => ({ code: {} })) } },
      true,
    ],
  ])('FG-4 %s: the rest of the answer survives', async (_what, entry, survives) => {
    ehr.behaviour.page = (entries) => [entry, ...entries];
    ehr.behaviour.total = undefined;
    const expected = [...(survives ? ['odd'] : []), ...OBSERVATIONS.map(({ id }) => id)];
    expect(await list('ObservationList')).toEqual(expected);
    expect((await rest('Observation?_count=100')).ids).toEqual(expected);
    // For a patient only what is certainly of this patient.
    const ofAna = await list('ObservationList(category: ["laboratory"])', ['ana']);
    expect(ofAna).toEqual(expect.arrayContaining(idsOf((_, i) => i % 2 === 0 && i % 3 !== 2)));
  });
});

describe('requests to the server', () => {
  test('FG-6 one request a question, strict, and one for what the server can do', async () => {
    ehr.behaviour.metadata = 'right';
    for (let i = 0; i < 3; i++)
      await list(`ObservationList(status: ["final"], category: ["${CATEGORIES[i]}"])`);
    expect(ehr.requests).toHaveLength(3);
    expect(new Set(ehr.prefers)).toEqual(new Set(['handling=strict']));
    expect(ehr.metadata).toBe(1);
  });

  test('a server that refuses strict searches is asked twice once only', async () => {
    ehr.behaviour.strict = 'refuses always';
    for (const status of ['final', 'amended', 'preliminary'])
      await list(`ObservationList(status: ["${status}"])`);
    expect(ehr.prefers).toEqual(['handling=strict', undefined, undefined, undefined]);
  });

  test.each<LaxBehaviour['metadata']>(['none', 'html', 'huge', 'right'])(
    'a server whose statement is %s works, and is asked for it once',
    async (metadata) => {
      ehr.behaviour.metadata = metadata;
      for (let i = 0; i < 2; i++) expect(await list('ObservationList(status: ["final"])')).toEqual(FINAL);
      expect(ehr.metadata).toBe(1);
      const source = await clinical.subgraph.open(tenant(), accessOf('system/*.rs')).backend();
      const known = await source.capabilities?.();
      expect(known && [...known.keys()]).toEqual(
        metadata === 'right' ? ['Patient', 'Observation', 'Condition'] : undefined,
      );
    },
  );

  test('what a server declares is known by type', async () => {
    Object.assign(ehr.behaviour, { metadata: 'right', declares: ['status'] });
    const source = await clinical.subgraph.open(tenant(), accessOf('system/*.rs')).backend();
    expect((await source.capabilities?.())?.get('Observation')).toEqual({
      interactions: new Set(['read', 'search-type']),
      searchParameters: new Set(['_id', 'status']),
      includes: new Set(['Observation:subject']),
      revincludes: new Set(),
    });
    expect(source.supports('Observation', 'category')).toBe(true);
    expect(source.supports('Observation', 'patient.name')).toBe(false);
    expect(source.supports('Observation', '_has:Provenance:target:agent')).toBe(false);
    expect(source.supports('Observation', 'no-such')).toBe(false);
  });
});

describe('a caller who reaches many patients', () => {
  const MANY = Array.from(
    { length: 200 },
    (_, i) => `patient-${String(i).padStart(3, '0')}-${'x'.repeat(20)}`,
  );
  const RECORDS = MANY.flatMap((id, i) => [
    { resourceType: 'Patient', id },
    ...[0, 1].map((n) => ({
      ...{
        resourceType: 'Observation',
        id: `${id}-${n}`,
        status: 'final',
        subject: { reference: `Patient/${id}` },
      },
      effectiveDateTime: `2024-01-${String(1 + ((i * 5 + n) % 28)).padStart(2, '0')}`,
    })),
    // Of a patient whom the caller does not reach.
    {
      resourceType: 'Observation',
      id: `foreign-${i}`,
      status: 'final',
      subject: { reference: `Patient/foreign-${i}` },
    },
  ]);
  const expected = MANY.flatMap((id) => [`${id}-0`, `${id}-1`]);

  beforeEach(async () => {
    await ehr.end();
    ehr = await started(RECORDS);
  });

  test('FG-6 searches with parts of the patients, in URLs of limited length', async () => {
    expect(await list('ObservationList', MANY)).toEqual(expected);
    expect(await list('PatientList', MANY)).toEqual(MANY);
    expect(ehr.requests.length).toBeLessThan(15);
    expect(Math.max(...ehr.requests.map((path) => encodeURI(path).length))).toBeLessThan(2_000);
  });

  test('pages lead through all parts, each resource once, without a total', async () => {
    const found: unknown[] = [];
    for (let url: string | undefined = 'Observation?_count=30&_total=accurate'; url !== undefined;) {
      const page: Awaited<ReturnType<typeof rest>> = await rest(url, { patients: MANY });
      expect(page.status).toBe(200);
      expect(page.bundle.total).toBeUndefined();
      found.push(...page.ids);
      url = page.next?.replace(/^https?:\/\/[^/]+/, '');
    }
    expect(found).toEqual(expected);
  });

  test('a whole list is sorted over all parts, a page of it is refused', async () => {
    const { data } = await ask('{ list: ObservationList(_sort: ["-date"]) { effectiveDateTime } }', MANY);
    const dates = (data['list'] as unknown as { effectiveDateTime: string }[]).map(
      ({ effectiveDateTime }) => effectiveDateTime,
    );
    expect(dates).toHaveLength(400);
    expect(dates).toEqual(dates.toSorted().reverse());
    expect(await list('ObservationList(_sort: ["-date"], _count: 3)', MANY)).toBe('unsupported_parameter');
  });

  test('patients that the search names are not searched in parts', async () => {
    expect(await list(`ObservationList(patient: ["${MANY[150]}"])`, MANY)).toEqual([
      `${MANY[150]}-0`,
      `${MANY[150]}-1`,
    ]);
    expect(ehr.requests).toHaveLength(1);
  });

  test('a resource of two patients is given once', async () => {
    ehr.behaviour.page = (entries) => [...entries, { resource: { ...RECORDS[1], id: 'shared' } }];
    const found = (await list('ObservationList', [MANY[0]!, ...MANY.slice(0, 120)])) as string[];
    expect(found.filter((id) => id === 'shared')).toHaveLength(1);
    expect(found.length).toBe(241);
  });
});
