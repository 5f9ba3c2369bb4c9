/** $everything, batches and $export through the whole gateway, over HTTP, with real tokens and unmodified clients. */
import type { Bundle, Resource } from 'fhir/r4.js';
import { Client } from 'fhir-kit-client';
import { cpSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { balpAuditEvent } from '../audit/audit-event.ts';
import { freePort } from './setup/free-port.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { SECRET, vendorServer, type VendorServer } from './vendor-server.ts';

const [GEORGE, MARIA] = ['demo-george-whitfield', 'demo-maria-alvarez'];
const PASSWORD = 'a-secret-of-this-test';

let gateway: TestGateway;
let ehr: VendorServer;
let records: string;
const audited: AuditEvent[] = [];

beforeAll(async () => {
  ehr = await vendorServer('meditech');
  records = await mkdtemp(join(tmpdir(), 'operations-'));
  const member = [{ entity: { reference: `Patient/${GEORGE}` } }];
  const group = { resourceType: 'Group', id: 'radiology', type: 'person', actual: true, member };
  gateway = await buildTestGateway(
    ({ images, patients }) => {
      cpSync(patients, records, { recursive: true });
      writeFileSync(join(records, 'group.json'), JSON.stringify(group));
      const data = {
        clinical: { type: 'store', path: records },
        images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
      };
      const client = { client_id: 'imaging', client_secret: SECRET };
      return {
        clinic: {
          authorization: {
            type: 'embedded',
            modes: ['backend-services'],
            clients: ['analyst', 'rival'].map((client_id) => ({ client_id, client_secret: PASSWORD })),
            policy: [
              { client_id: 'analyst', patients: [GEORGE, MARIA] },
              { client_id: 'rival', patients: [GEORGE, MARIA] },
            ],
          },
          ...data,
        },
        open: { authorization: { type: 'mock', disableAuthzChecks: true }, ...data },
        user: {
          authorization: { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client, introspectionTtl: 0 },
          ...data,
        },
      };
    },
    undefined,
    (_tenant, event) => void audited.push(event),
    { port: await freePort() },
  );
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  await rm(records, { recursive: true, force: true });
});

const backendToken = async (client: string, scope = 'system/*.rs') => {
  const answer = await fetch(`${gateway.baseUrl}/clinic/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client}:${PASSWORD}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
};
const ask = (url: string, token: string, init: RequestInit = {}) =>
  fetch(url.startsWith('http') ? url : `${gateway.baseUrl}${url}`, {
    ...init,
    headers: { ...(init.headers as Record<string, string>), authorization: `Bearer ${token}` },
  });
const kitClient = (tenant: string) => new Client({ baseUrl: `${gateway.baseUrl}/${tenant}/fhir` });
const named = (resources: (Resource | undefined)[]) =>
  resources.map((resource) => `${resource?.resourceType}/${resource?.id}`).toSorted();

describe('fhir-kit-client, unmodified', () => {
  test('operation everything: record and images of a patient', async () => {
    const client = kitClient('open');
    const bundle = (await client.operation({
      name: 'everything',
      resourceType: 'Patient',
      id: GEORGE,
      method: 'GET',
      input: { _count: 1000 },
    })) as unknown as Bundle;
    const studies = (await client.search({
      resourceType: 'ImagingStudy',
      searchParams: { patient: GEORGE, _include: 'ImagingStudy:endpoint' },
    })) as unknown as Bundle;
    const found = (bundle.entry ?? []).map(({ resource }) => resource);
    const ofImaging = found.filter((one) => /^(ImagingStudy|Endpoint)$/.test(one?.resourceType ?? ''));
    expect(ofImaging).toEqual((studies.entry ?? []).map(({ resource }) => resource));
    for (const type of ['Condition', 'DiagnosticReport', 'ServiceRequest']) {
      const page = (await client.search({
        resourceType: type,
        searchParams: { patient: GEORGE },
      })) as unknown as Bundle;
      const same = found.filter((one) => one?.resourceType === type);
      expect(named(same)).toEqual(named((page.entry ?? []).map(({ resource }) => resource)));
    }
  });

  test('batch: the same answers as single requests', async () => {
    const client = kitClient('open');
    const urls = [`Patient/${GEORGE}`, `ImagingStudy?patient=${GEORGE}`, 'metadata', 'Condition/none'];
    const entry = urls.map((url) => ({ request: { method: 'GET' as const, url } }));
    const { entry: answers = [] } = (await client.batch({
      body: { resourceType: 'Bundle', type: 'batch', entry },
    })) as unknown as Bundle;
    for (const [index, url] of urls.entries()) {
      const single = await ask(`/open/fhir/${url}`, '');
      const { resource, response } = answers[index]!;
      expect(response?.status).toBe(String(single.status));
      expect(single.ok ? resource : response?.outcome).toEqual(await single.json());
    }
  });
});

test('IA-9 a batch of a user token: each entry is authorized for the patients that it names itself', async () => {
  const active = { active: true, client_id: 'app', exp: 4_000_000_000 };
  ehr.tokens.set('user', { ...active, scope: 'user/*.rs' });
  ehr.readers.set('0019540', new Set(['user']));
  const urls = ['ImagingStudy?patient=0019540', 'ImagingStudy?patient=0047111', 'ImagingStudy'];
  audited.length = 0;
  const body = {
    resourceType: 'Bundle',
    type: 'batch',
    entry: urls.map((url) => ({ request: { method: 'GET', url } })),
  };
  const response = await ask('/user/fhir', 'user', {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/fhir+json' },
  });
  const { entry = [] } = (await response.json()) as unknown as Bundle;
  const singles = await Promise.all(urls.map((url) => ask(`/user/fhir/${url}`, 'user')));
  expect(entry.map((one) => one.response?.status)).toEqual(singles.map(({ status }) => String(status)));
  expect(entry.map((one) => one.response?.status)).toEqual(['200', '403', '403']);
  expect(new Set(audited.map(({ request }) => request)).size).toBeGreaterThan(0);
  expect(audited.filter(({ outcome }) => outcome.kind === 'denied').length).toBeGreaterThanOrEqual(2);
  expect((await ask('/user/fhir', 'invented', { method: 'POST', body: '{}' })).status).toBe(401);
});

test.each([
  ['0019540', 200],
  ['0047111', 403],
])('IA-9 $lastn of a user token for the patient %s of a Parameters resource: %i', async (patient, status) => {
  const active = { active: true, client_id: 'app', exp: 4_000_000_000 };
  ehr.tokens.set('user', { ...active, scope: 'user/*.rs' });
  ehr.readers.set('0019540', new Set(['user']));
  const parameter = [
    { name: 'patient', valueString: patient },
    { name: 'category', valueString: 'laboratory' },
  ];
  const response = await ask('/user/fhir/Observation/$lastn', 'user', {
    method: 'POST',
    body: JSON.stringify({ resourceType: 'Parameters', parameter }),
    headers: { 'content-type': 'application/fhir+json' },
  });
  expect(response.status).toBe(status);
});

describe('$export with a backend token', () => {
  const begin = async (path: string, token: string) => {
    const begun = await ask(`/clinic/fhir/${path}`, token, { headers: { prefer: 'respond-async' } });
    expect(begun.status, await begun.clone().text()).toBe(202);
    return begun.headers.get('content-location')!;
  };
  const finished = async (status: string, token: string) => {
    let answer = await ask(status, token);
    const check = async () => {
      answer = await ask(status, token);
      expect(answer.status).not.toBe(202);
    };
    await vi.waitFor(check, { timeout: 10_000, interval: 50 });
    return answer;
  };

  test('from the kick-off to the files: exactly what searches by the same token find', async () => {
    const token = await backendToken('analyst');
    audited.length = 0;
    const status = await begin('Patient/$export', token);
    expect(status).toMatch(new RegExp(`^${gateway.baseUrl}/clinic/fhir/\\$export-status/[0-9a-f]{32}$`));
    const answer = await finished(status, token);
    expect(answer.status).toBe(200);
    const { output } = (await answer.json()) as { output: { type: string; url: string; count: number }[] };
    expect(output.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['Patient', 'ImagingStudy', 'Endpoint']),
    );
    for (const { type, url, count } of output) {
      const file = await ask(url, token);
      expect(file.headers.get('content-type')).toBe('application/fhir+ndjson');
      const lines = (await file.text()).trimEnd().split('\n');
      expect(lines).toHaveLength(count);
      const search = await ask(`/clinic/fhir/${type}?_count=1000`, token);
      if (!search.ok) continue;
      const { entry = [] } = (await search.json()) as unknown as Bundle;
      const exported = lines.map((line) => JSON.parse(line) as Resource);
      expect(named(exported)).toEqual(named(entry.map(({ resource }) => resource)));
    }
    const [event] = audited.filter(({ patients }) => patients !== undefined);
    expect(event).toMatchObject({ action: 'search', type: 'Patient', client: 'analyst', patients: 2 });
    const query = balpAuditEvent(event!, gateway.baseUrl).entity?.find((one) => one.query !== undefined);
    expect(query?.detail).toEqual([{ type: 'patients', valueString: '2' }]);
  });

  test('of a Group: images of its members, for a token that reaches everybody', async () => {
    const begun = await ask('/open/fhir/Group/radiology/$export?_type=Patient,ImagingStudy', '', {
      headers: { prefer: 'respond-async' },
    });
    const answer = await finished(begun.headers.get('content-location')!, '');
    const { output } = (await answer.json()) as { output: { type: string; count: number }[] };
    expect(output).toMatchObject([
      { type: 'Patient', count: 1 },
      { type: 'ImagingStudy', count: expect.any(Number) },
    ]);
  });

  test('IA-7 another client gets neither status nor files; nobody does without a token', async () => {
    const [token, rival] = await Promise.all([backendToken('analyst'), backendToken('rival')]);
    const status = await begin('Patient/$export?_type=Patient', token);
    const { output } = (await (await finished(status, token)).json()) as { output: { url: string }[] };
    for (const url of [status, output[0]!.url]) {
      expect((await ask(url, rival)).status).toBe(404);
      expect((await fetch(url)).status).toBe(401);
      const other = url.replace('/clinic/', '/open/');
      expect((await ask(other, token)).status).toBe(404);
      // Operations work with an escaped dollar sign too.
      expect((await ask(url.replace('$', '%24'), token)).status).toBe(200);
    }
    const narrow = await backendToken('analyst', 'system/Condition.rs');
    expect((await ask(output[0]!.url, narrow)).status).toBe(404);
    expect((await ask(status, rival, { method: 'DELETE' })).status).toBe(404);
    expect((await ask(status, token, { method: 'DELETE' })).status).toBe(202);
    expect((await ask(output[0]!.url, token)).status).toBe(404);
  });
});
