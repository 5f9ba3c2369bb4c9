/** The tables' record of a tenant with an EHR: another gateway is the EHR, and gives it by $export (Bulk Data Access 3.0). */
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { limitedText } from '../../schema/outbound/limited-text.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { BulkRecord, type BulkSettings } from '../../subgraphs/analysis/bulk/bulk-record.ts';
import type { SendBulk } from '../../subgraphs/analysis/bulk/bulk-server.ts';
import { clinicalSubgraph, type ClinicalSubgraph } from '../../subgraphs/clinical/app.ts';
import { openRecordFeed } from '../../subgraphs/clinical/export/record-feed.ts';
import { accessOf } from '../../subgraphs/clinical/test/servers.ts';
import { ownRequests } from '../smart/token/own-requests.ts';
import { tenantsOf } from './gateway-alone.ts';
import { freePort } from './setup/free-port.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const TYPES = ['Patient', 'Condition', 'Observation'];
const PATIENTS = ['ana', 'bob'];

let folder: string;
let port: number;
let ehr: TestGateway | undefined;
let keys: Record<'own' | 'other', JWK>;
let jwk: JWK;
let ownData: string;
let clinical: ClinicalSubgraph;
let bulk: BulkRecord;
let log: string[];
let asked: string[];

const resource = (resourceType: string, id: string, more: object = {}) => ({
  resourceType,
  id,
  meta: { lastUpdated: new Date().toISOString() },
  ...more,
});
const of = (patient: string) => ({ subject: { reference: `Patient/${patient}` } });

/** The record of the EHR. */
const records: object[] = [
  ...[...PATIENTS, 'carl'].map((id) => resource('Patient', id)),
  resource('Condition', 'flu', { ...of('ana'), code: { text: 'Flu' } }),
  resource('Condition', 'cough', { ...of('bob'), code: { text: 'Cough' } }),
  resource('Condition', 'carls', of('carl')),
  resource('Encounter', 'visit', of('ana')),
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulk-ehr-'));
  port = await freePort();
  const pair = () => generateKeyPair('ES384', { extractable: true });
  const [own, other] = await Promise.all([pair(), pair()]);
  const named = async (key: typeof own.privateKey) => ({
    ...(await exportJWK(key)),
    kid: 'tables',
    alg: 'ES384',
  });
  keys = { own: await named(own.privateKey), other: await named(other.privateKey) };
  jwk = await named(own.publicKey);
  await startEhr();
}, 60_000);
afterAll(async () => {
  await ehr?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Starts the EHR with the records of now. */
async function startEhr(): Promise<void> {
  writeFileSync(join(folder, 'records.ndjson'), records.map((one) => JSON.stringify(one)).join('\n'));
  const authorization = {
    type: 'embedded',
    modes: ['backend-services'],
    clients: [{ client_id: 'tables', jwks: { keys: [jwk] } }],
    policy: [{ client_id: 'tables', patients: PATIENTS }],
  };
  const clinical = { type: 'store', path: join(folder, 'records.ndjson') };
  const images = { type: 'folder', path: folder, lookup: 'all-studies-on-server' };
  const data = { images: folder, patients: folder };
  ehr = await buildTestGateway(() => ({ ehr: { authorization, clinical, images } }), data, undefined, {
    port,
  });
}

async function restartEhr(): Promise<void> {
  await ehr?.close();
  await startEhr();
}

function tenantWith(key: JWK): Tenant {
  const authorization = {
    type: 'smart-on-fhir',
    fhirBaseUrl: `http://127.0.0.1:${port}/ehr/fhir`,
    client: { client_id: 'tables', jwkPrivate: key },
  };
  const images = { type: 'folder', path: folder, lookup: 'all-studies-on-server' };
  return tenantsOf({ clinic: { authorization, images } }).all[0]!;
}

/** Starts the client, as a new process would. @param wrap may change what the EHR answers */
function start(more: { key?: JWK; wrap?: (send: SendBulk) => SendBulk } & Partial<BulkSettings> = {}): void {
  const { key = keys.own, wrap = (send) => send, ...settings } = more;
  const tenant = tenantWith(key);
  const write = (details: object, message: string) => log.push(`${message} ${JSON.stringify(details)}`);
  const send = ownRequests({ dispatcher: () => undefined, now: Date.now })(tenant);
  const counted: SendBulk = (request, isAuthorized) => {
    asked.push(request.url.replace(/^.*\/fhir/, ''));
    return send(request, isAuthorized);
  };
  bulk = new BulkRecord({
    tenant,
    folder: join(ownData, 'bulk'),
    types: TYPES,
    minutes: 15,
    send: wrap(counted),
    clinical,
    log: { info: write, warn: write, error: write },
    pause: 1,
    ...settings,
  });
}

beforeEach(async () => {
  ownData = await mkdtemp(join(tmpdir(), 'bulk-own-'));
  clinical = clinicalSubgraph({ dataDir: ownData, baseUrl: 'http://localhost', loadWait: 30_000 });
  [log, asked] = [[], []];
  start();
});
afterEach(async () => {
  await bulk.close();
  await clinical.close();
  await rm(ownData, { recursive: true, force: true });
});

/** Returns `Type/id` of what a token for all patients finds in the fetched record. */
async function found(scope = 'system/*.rs'): Promise<string[]> {
  const record = clinical.open(bulk.record, accessOf(scope, 'all'));
  const pages = await Promise.all(TYPES.map((type) => record.search(type, { params: [], count: 100 })));
  return pages.flatMap(({ resources }) => resources.map((one) => `${one.resourceType}/${one.id}`)).toSorted();
}

const FIRST = ['Condition/cough', 'Condition/flu', 'Patient/ana', 'Patient/bob'];

test('the record of the patients whom the EHR gives us is a store like others, also for the tables', async () => {
  await bulk.refresh();
  expect(log).toEqual([]);
  expect(await found()).toEqual(FIRST);
  const stores = readdirSync(join(ownData, 'clinical')).filter((name) => name.endsWith('.sqlite'));
  const feed = openRecordFeed(join(ownData, 'clinical', stores[0]!));
  const conditions = [...feed.texts('Condition')].map((text) => JSON.parse(text) as { id: string });
  expect(conditions.map((one) => [one.id, feed.patientsOf(one)]).toSorted()).toEqual([
    ['cough', ['bob']],
    ['flu', ['ana']],
  ]);
  expect([...feed.texts('Encounter')]).toEqual([]);
  feed.close();
  expect(Date.now() - bulk.time!.getTime()).toBeLessThan(60_000);
  await bulk.remove();
  expect(readdirSync(join(ownData, 'clinical'))).toEqual([]);
});

test('what the EHR says is deleted is gone', async () => {
  const deleted = {
    resourceType: 'Bundle',
    entry: [{ request: { method: 'DELETE', url: 'Condition/cough' } }],
  };
  start({
    // This gateway does not know what was deleted; other servers do.
    wrap: (send) => async (request, isAuthorized) => {
      const { method, url } = request;
      if (url.endsWith('/deleted')) return { status: 200, headers: {}, body: bytes(JSON.stringify(deleted)) };
      const answer = await send(request, isAuthorized);
      if (method !== 'GET' || !url.includes('$export-status') || answer.status !== 200) return answer;
      const made = JSON.parse(await limitedText(answer.body, 1e6)) as object;
      const file = { type: 'Bundle', url: `${url}/deleted` };
      return { ...answer, body: bytes(JSON.stringify({ ...made, deleted: [file] })) };
    },
  });
  await bulk.refresh();
  expect(await found()).toEqual(FIRST);
  await bulk.refresh();
  expect(log).toEqual([]);
  expect(await found()).toEqual(FIRST.slice(1));
});

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

test('a stop in the middle of the files: nothing of them is used, and the next process takes up the same export', async () => {
  let files = 0;
  start({
    wrap: (send) => async (request, isAuthorized) => {
      if (request.url.includes('$export-file') && ++files === 2) void bulk.close();
      return send(request, isAuthorized);
    },
  });
  await bulk.refresh();
  expect(bulk.time).toBeUndefined();
  expect(readdirSync(join(ownData, 'bulk'))).not.toContain('record');
  start();
  await bulk.refresh();
  expect(log).toEqual([]);
  expect(await found()).toEqual(FIRST);
  expect(asked.filter((path) => path.startsWith('/Patient/$export?'))).toHaveLength(1);
});

test('a key that the EHR does not know: no data, and the reason in the log', async () => {
  start({ key: keys.other });
  await bulk.refresh();
  expect(log[0]).toMatch(/there are no tables.*invalid_client/);
  expect(() => bulk.requireData()).toThrow(expect.objectContaining({ code: 'unavailable' }));
});

test('an EHR without $export: 501', async () => {
  start({
    wrap: (send) => (request, isAuthorized) =>
      send({ ...request, url: request.url.replace('Patient/$export', '$no-export') }, isAuthorized),
  });
  await bulk.refresh();
  expect(() => bulk.requireData()).toThrow(expect.objectContaining({ code: 'not_implemented' }));
});

test('types that the EHR does not give are told in the log', async () => {
  start({ types: [...TYPES, 'Nonsense'] });
  await bulk.refresh();
  expect(log).toHaveLength(1);
  expect(log[0]).toMatch(/the EHR says of its export.*_type takes types/);
  expect(await found()).toEqual(FIRST);
});

test('our token is sent to the EHR only', async () => {
  const elsewhere = `http://127.0.0.1:${await freePort()}`;
  start({
    wrap: (send) => (request, isAuthorized) =>
      send({ ...request, url: request.url.replace(/^.*\/fhir\/\$export-status/, elsewhere) }, isAuthorized),
  });
  await bulk.refresh();
  expect(log[0]).toContain(`our token is not sent to ${elsewhere}`);
});

test('an EHR that is away leaves the data of before, and their time in the log', async () => {
  await bulk.refresh();
  const time = bulk.time!;
  await ehr!.close();
  ehr = undefined;
  await bulk.refresh();
  expect(log).toHaveLength(1);
  expect(log[0]).toContain('the data from before are used');
  expect(log[0]).toContain(`"dataOf":"${time.toISOString()}"`);
  bulk.requireData();
  expect(bulk.time).toEqual(time);
  expect(await found()).toEqual(FIRST);
  await startEhr();
  await bulk.refresh();
  expect(log.at(-1)).toContain('gives its export again');
});

test('what has changed is fetched, also by a token that the EHR does not know any more', async () => {
  await bulk.refresh();
  const before = bulk.time!;
  records[3] = resource('Condition', 'flu', { ...of('ana'), code: { text: 'Influenza' } });
  records.push(
    resource('Observation', 'new', { ...of('bob'), status: 'final', code: { text: 'Heart rate' } }),
  );
  await restartEhr();
  await bulk.refresh();
  expect(log).toEqual([]);
  expect(await found()).toEqual([...FIRST.slice(0, 2), 'Observation/new', ...FIRST.slice(2)]);
  const record = clinical.open(bulk.record, accessOf('patient/Condition.rs', ['ana']));
  const { resources } = await record.search('Condition', { params: [], count: 10 });
  expect(resources).toMatchObject([{ id: 'flu', code: { text: 'Influenza' } }]);
  expect(bulk.time!.getTime()).toBeGreaterThan(before.getTime());
  expect(asked.filter((path) => path.includes('_since'))).toHaveLength(1);
  const files = asked.slice(asked.findIndex((path) => path.includes('_since')));
  expect(files.filter((path) => path.includes('$export-file'))).toHaveLength(2);
});
