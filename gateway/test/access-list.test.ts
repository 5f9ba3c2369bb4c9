import type { AuditEvent as FhirAuditEvent, Bundle, CapabilityStatement, OperationOutcome } from 'fhir/r4.js';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ALLOWED, type AuditEvent } from '../../schema/access/audit.ts';
import { AccessList } from '../audit/access-list.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const MRN = '293ee354-f8ad-4345-b10c-759fdfdcc082';
const OTHER = 'demo-george-whitfield';
/** A record that has an AuditEvent. */
const OWN_EVENTS = {
  resourceType: 'Bundle',
  type: 'collection',
  entry: [
    { resource: { resourceType: 'Patient', id: DEMO_PATIENT } },
    {
      resource: {
        resourceType: 'AuditEvent',
        id: 'of-the-record',
        type: { code: 'rest' },
        recorded: '2026-01-01T00:00:00Z',
        agent: [{ requestor: true, who: { display: 'Somebody' } }],
        source: { observer: { display: 'EHR' } },
        entity: [{ what: { reference: `Patient/${DEMO_PATIENT}` } }],
      },
    },
  ],
};
let ehr: AuthorizationServer;
let gateway: TestGateway;
let folder: string;
let list: AccessList;
let studies: string[];
let events: AuditEvent[] = [];

beforeAll(async () => {
  ehr = await authorizationServer();
  folder = await mkdtemp(join(tmpdir(), 'access-list-'));
  const note = () => undefined;
  list = new AccessList({
    file: join(folder, 'accesses.sqlite'),
    secrets: ['a secret of the list of accesses, long enough'],
    now: Date.now,
    log: { error: note, warn: note },
  });
  await mkdir(join(folder, 'record'));
  await writeFile(join(folder, 'record/events.json'), JSON.stringify(OWN_EVENTS));
  const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  gateway = await buildTestGateway(
    ({ images, patients }) => {
      const archive = { type: 'folder', path: images, lookup: 'studies-by-mrn' };
      const common = { clinical: { type: 'store', path: patients }, images: archive };
      const audit = { type: 'stdout', keep: 30 };
      const withhold = [{ modality: ['CT', 'MR', 'DX'] }];
      return {
        smart: { ...common, authorization: smart, audit },
        withheld: { ...common, authorization: { ...smart, withhold }, audit },
        without: { ...common, authorization: smart },
        record: {
          ...common,
          authorization: smart,
          clinical: { type: 'store', path: join(folder, 'record') },
        },
        bare: { authorization: smart, clinical: { type: 'none' }, images: archive },
        open: { ...common, authorization: { type: 'mock', disableAuthzChecks: true }, audit },
      };
    },
    undefined,
    (tenant, event) => {
      events.push(event);
      list.add(tenant, event);
    },
    { limits: { accessList: list } },
  );
  for (const [id, value] of [
    [DEMO_PATIENT, MRN],
    [OTHER, 'another number'],
  ] as const) {
    const type = { coding: [{ code: 'MR' }] };
    const identifier = [{ system: 'http://hospital.smarthealthit.org', value, type }];
    ehr.patients.set(id, { resourceType: 'Patient', id, identifier });
  }
  const { body } = await get('/smart/fhir/ImagingStudy', 'patient/ImagingStudy.rs');
  studies = (JSON.parse(body) as Bundle).entry!.map(({ resource }) => resource!.id!);
});
beforeEach(() => {
  events = [];
});
afterAll(async () => {
  await gateway?.close();
  await list?.close();
  await ehr?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Sends a request with a token of these scopes. */
function get(url: string, scope = 'patient/*.rs', patient = DEMO_PATIENT, more: object = {}) {
  const token = Buffer.from(`${patient} ${scope}`).toString('hex');
  const exp = Math.floor(Date.now() / 1000) + 3600;
  ehr.tokens.set(token, { client_id: 'viewer', sub: 'user-1', exp, patient, scope });
  const path = url.startsWith('http') ? new URL(url).pathname + new URL(url).search : url;
  return gateway.app.inject({ url: path, headers: { authorization: `Bearer ${token}` }, ...more });
}

type Answer = Bundle<FhirAuditEvent | OperationOutcome>;
async function searched(url: string, ...asked: [scope?: string, patient?: string, more?: object]) {
  const { statusCode, body } = await get(url, ...asked);
  expect(statusCode, body).toBe(200);
  return JSON.parse(body) as Answer;
}
const LIST = `/smart/fhir/AuditEvent?patient=${DEMO_PATIENT}`;
const eventsIn = ({ entry = [] }: Answer) =>
  entry.flatMap(({ resource }) => (resource?.resourceType === 'AuditEvent' ? [resource] : []));
const studiesIn = (answer: Answer) =>
  eventsIn(answer).flatMap(({ entity = [] }) =>
    entity.flatMap(({ what }) => /^urn:oid:(.*)/.exec(what?.identifier?.value ?? '')?.[1] ?? []),
  );

test('IA-30 a patient sees who has looked at what, as the audit has it; the look at the list is one too', async () => {
  await get(`/smart/fhir/Patient/${DEMO_PATIENT}`);
  await get(`/smart/dicomweb/studies/${studies[0]}/metadata`);
  const query = () => searched(LIST);
  await expect.poll(async () => studiesIn(await query())).toEqual([studies[0]]);
  await expect
    .poll(async () => JSON.stringify(await query()))
    .toContain(Buffer.from('AuditEvent').toString('base64').slice(0, 8));
  const answer = await query();
  const all = eventsIn(answer);
  expect(answer.total).toBe(all.length);
  expect(all.map(({ recorded }) => recorded)).toEqual(
    all
      .map(({ recorded }) => recorded)
      .sort()
      .reverse(),
  );
  const retrieved = all.find(({ type }) => type.code === '110104')!;
  expect(retrieved).toMatchObject({
    action: 'R',
    outcome: '0',
    agent: [{ who: { identifier: { value: 'viewer' } } }, {}, { who: { identifier: { value: 'user-1' } } }],
  });
  const read = await get(`/smart/fhir/AuditEvent/${retrieved.id}`);
  expect(JSON.parse(read.body)).toEqual(retrieved);
  const last = events.filter(({ type }) => type === 'AuditEvent').slice(-2);
  expect(last).toMatchObject([
    { action: 'search', patient: DEMO_PATIENT, query: 'AuditEvent?patient', outcome: ALLOWED },
    { action: 'read', patient: DEMO_PATIENT, target: retrieved.id, outcome: ALLOWED },
  ]);
});

describe('scopes × interaction', () => {
  test.each<[string, number, number]>([
    ['patient/*.rs', 200, 200],
    ['patient/AuditEvent.rs', 200, 200],
    ['patient/AuditEvent.read', 200, 200],
    ['patient/AuditEvent.s', 200, 403],
    ['patient/AuditEvent.r', 403, 200],
    ['patient/AuditEvent.rs?action=R', 403, 403],
    ['patient/Patient.rs patient/ImagingStudy.rs', 403, 403],
    ['user/*.rs', 403, 403],
    ['user/AuditEvent.rs patient/Patient.rs', 403, 403],
  ])('%s', async (scope, search, read) => {
    const [known] = eventsIn(await searched(LIST));
    const answers = [await get(LIST, scope), await get(`/smart/fhir/AuditEvent/${known!.id}`, scope)];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([search, read]);
    for (const { statusCode, headers } of answers)
      if (statusCode === 403) expect(headers['www-authenticate']).toMatch(/scope="patient\/AuditEvent\.rs?"/);
  });

  test('nobody who reaches everybody has the list of one', async () => {
    expect((await get(`/open/fhir/AuditEvent?patient=${DEMO_PATIENT}`)).statusCode).toBe(403);
  });

  test('without a token: 401', async () => {
    expect((await gateway.app.inject({ url: LIST })).statusCode).toBe(401);
  });
});

test('IA-7 another patient is refused as any foreign one, by search, compartment and id', async () => {
  const [known] = eventsIn(await searched(LIST));
  for (const url of [LIST, `${LIST}&patient=${OTHER}`, `/smart/fhir/Patient/${DEMO_PATIENT}/AuditEvent`])
    expect((await get(url, 'patient/*.rs', OTHER)).statusCode).toBe(403);
  const foreign = await get(`/smart/fhir/AuditEvent/${known!.id}`, 'patient/*.rs', OTHER);
  const missing = await get('/smart/fhir/AuditEvent/1', 'patient/*.rs', OTHER);
  expect([foreign.statusCode, foreign.body]).toEqual([404, missing.body]);
  expect(events.filter(({ outcome }) => outcome.kind === 'denied')).toHaveLength(5);
  const own = await searched('/smart/fhir/AuditEvent', 'patient/*.rs', OTHER);
  expect(studiesIn(own)).toEqual([]);
});

test('IA-31 an entry about a withheld study is absent, from the total and by its id too', async () => {
  const tenant = { key: 'withheld', audit: { type: 'stdout' as const, keep: 30 } };
  const about = (study: string | undefined, minute: number): AuditEvent => ({
    action: 'retrieve',
    type: 'ImagingStudy',
    patient: DEMO_PATIENT,
    outcome: ALLOWED,
    tenant: 'withheld',
    user: `Practitioner/${minute}`,
    request: 'r',
    ...(study !== undefined && { study }),
    time: new Date(Date.now() - minute * 60_000).toISOString(),
  });
  const visible = await searched('/withheld/fhir/ImagingStudy');
  const shown = (visible.entry ?? []).map(({ resource }) => resource!.id!);
  const hidden = studies.filter((uid) => !shown.includes(uid));
  expect(hidden).not.toEqual([]);
  const of = { tenant: 'withheld', patient: DEMO_PATIENT, since: 0 };
  for (const [index, uid] of [...studies, '1.2.3.4'].entries()) list.add(tenant, about(uid, index));
  for (let minute = 100; minute < 105; minute++) list.add(tenant, about(undefined, minute));
  await expect.poll(() => list.studies(of).size).toBe(studies.length + 1);
  const all = () => list.page(of, { hidden: [], times: [], count: 100 })!.accesses;
  const url = `/withheld/fhir/AuditEvent?patient=${DEMO_PATIENT}&_count=2`;
  // The look at the list is in it before its pages are read.
  await searched(url);
  const isListed = () => all().some(({ event: { type } }) => type === 'AuditEvent');
  await expect.poll(isListed).toBe(true);
  const found: Answer[] = [];
  for (let next: string | undefined = url; next !== undefined;) {
    const answer: Answer = await searched(next);
    found.push(answer);
    next = answer.link?.find(({ relation }) => relation === 'next')?.url;
  }
  expect(new Set(found.flatMap(studiesIn))).toEqual(new Set(shown));
  expect(found.length).toBeGreaterThan(2);
  expect(found.at(-1)!.total).toBe(found.flatMap(eventsIn).length);
  for (const { id, event } of all().filter(({ event }) => event.study !== undefined)) {
    const { statusCode } = await get(`/withheld/fhir/AuditEvent/${id}`);
    expect(statusCode).toBe(shown.includes(event.study!) ? 200 : 404);
  }
});

test('dates, forms, parts and unknown parameters are as in every search', async () => {
  await get(`/smart/fhir/Patient/${DEMO_PATIENT}`);
  await expect.poll(async () => (await searched(LIST)).total).toBeGreaterThan(0);
  const total = async (query: string) => (await searched(`${LIST}&_summary=count&${query}`)).total!;
  const today = new Date().toISOString().slice(0, 10);
  expect([await total(`date=lt${today}`), await total('date=gt2999')]).toEqual([0, 0]);
  expect(await total(`date=ge${today}&date=lt2999`)).toBe(await total(''));
  const [only] = eventsIn(await searched(`${LIST}&_elements=recorded&_count=1`));
  expect(Object.keys(only!)).not.toContain('entity');
  const ignored = await searched(`${LIST}&agent=x`);
  expect(JSON.stringify(ignored.entry?.at(-1))).toContain('agent');
  for (const query of ['date=soon', '_cursor=x', '_offset=3'])
    expect((await get(`${LIST}&${query}`)).statusCode, query).toBe(400);
  expect((await get('/smart/fhir/AuditEvent/1/_history')).statusCode).toBe(501);
  expect((await get(LIST, undefined, undefined, { method: 'POST' })).statusCode).toBe(405);
});

test.each([
  ['without', 'a record without AuditEvents'],
  ['bare', 'no record'],
])('keep 0, %s: says that there is no list', async (tenant) => {
  const { statusCode, body } = await get(`/${tenant}/fhir/AuditEvent?patient=${DEMO_PATIENT}`);
  expect([statusCode, body]).toEqual([
    501,
    expect.stringContaining('This server keeps no list of who has looked.'),
  ]);
  expect((await get(`/${tenant}/fhir/AuditEvent?patient=${OTHER}`)).statusCode).toBe(403);
  expect((await get(`/${tenant}/fhir/AuditEvent`, 'patient/Patient.rs')).statusCode).toBe(403);
});

test('keep 0, a record with AuditEvents of its own: answers with these', async () => {
  const answer = await searched(`/record/fhir/AuditEvent?patient=${DEMO_PATIENT}`);
  expect(eventsIn(answer).map(({ id }) => id)).toEqual(['of-the-record']);
});

test('the CapabilityStatement has the list where it is kept', async () => {
  const typesOf = async (tenant: string) => {
    const { body } = await get(`/${tenant}/fhir/metadata`);
    const statement = JSON.parse(body) as CapabilityStatement;
    return statement.rest![0]!.resource!.filter(({ type }) => type === 'AuditEvent');
  };
  expect(await typesOf('smart')).toEqual([
    {
      type: 'AuditEvent',
      interaction: [{ code: 'read' }, { code: 'search-type' }],
      searchParam: [
        { name: 'date', type: 'date' },
        { name: 'patient', type: 'reference' },
      ],
    },
  ]);
  expect(await typesOf('without')).toEqual([]);
});
