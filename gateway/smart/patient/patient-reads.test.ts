/** Identities of many patients: some searches instead of a read for each (SM-9, IA-8). */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getGlobalDispatcher } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PatientGrant } from '../../../schema/access/access.ts';
import { parseTenant } from '../../../schema/tenant/tenant.ts';
import { authorizationServer, type AuthorizationServer } from '../../test/authorization-server.ts';
import { authorizer } from '../authorize.ts';
import { patientReads } from './patient-reads.ts';

const IDS = Array.from({ length: 2_150 }, (_, i) => `patient-${String(i).padStart(4, '0')}-0123456789abcdef`);
const patient = (id: string) => ({
  resourceType: 'Patient',
  id,
  identifier: [{ system: 'urn:mrn', value: `M-${id}` }],
});

/** A FHIR server that has the patients; `answers` changes how it answers a search. */
const existing = new Set(IDS);
let requests: string[];
let searches: 'right' | 'pages of ten' | 'refused' | 'HTML' | 'down';
const ehr = createServer((request, response) => {
  const url = new URL(request.url!, 'http://ehr');
  requests.push(url.pathname + url.search);
  const id = /^\/fhir\/Patient\/(.+)$/.exec(url.pathname)?.[1];
  if (id !== undefined) return existing.has(id) ? send(response, 200, patient(id)) : send(response, 404, {});
  if (searches === 'down') return void response.destroy();
  if (searches === 'HTML') return void response.end('<html>');
  if (searches === 'refused') return send(response, 403, {});
  const found = url.searchParams
    .get('_id')!
    .split(',')
    .filter((one) => existing.has(one));
  const page = searches === 'pages of ten' ? found.slice(0, 10) : found;
  send(response, 200, { resourceType: 'Bundle', entry: page.map((one) => ({ resource: patient(one) })) });
});
const send = (response: ServerResponse, status: number, body: object) =>
  void response.writeHead(status, { 'content-type': 'application/fhir+json' }).end(JSON.stringify(body));
const base = () => `http://127.0.0.1:${(ehr.address() as AddressInfo).port}/fhir`;

beforeAll(() => new Promise<void>((done) => ehr.listen(0, '127.0.0.1', done)));
afterAll(() => {
  ehr.closeAllConnections();
  ehr.close();
});
beforeEach(() => {
  requests = [];
  searches = 'right';
});

const tenantOf = (fhirBaseUrl: string, more: object) =>
  parseTenant(
    {
      authorization: {
        type: 'smart-on-fhir',
        fhirBaseUrl,
        client: { client_id: 'us', client_secret: 's' },
        ...more,
      },
      images: { type: 'dicom-web', lookup: 'studies-by-mrn', endpoint: 'http://127.0.0.1:1/' },
    },
    { key: 't', path: 't', dynamic: false, directory: '/', environment: {} },
  ).tenant;

describe('patients that are read at the same time', () => {
  const readAll = async (ids: readonly string[]) => {
    const read = patientReads();
    const outside = { dispatcher: () => undefined, now: Date.now };
    const asker = { outside, tenant: tenantOf(base(), {}), fhirBaseUrl: base(), token: async () => 'token' };
    return Promise.allSettled(ids.map((id) => read('t own', asker, id)));
  };
  const ids = (read: Awaited<ReturnType<typeof readAll>>) =>
    read.map((one) =>
      one.status === 'rejected' ? 'failed' : typeof one.value === 'string' ? one.value : one.value.id,
    );

  test('are searched together, in URLs of limited length', async () => {
    expect(ids(await readAll(IDS))).toEqual(IDS);
    expect(requests.length).toBeLessThan(60);
    expect(Math.max(...requests.map(({ length }) => length))).toBeLessThan(2_000);
  });

  test('one alone is read', async () => {
    expect(ids(await readAll(['patient-0001-0123456789abcdef']))).toEqual(['patient-0001-0123456789abcdef']);
    expect(requests).toEqual(['/fhir/Patient/patient-0001-0123456789abcdef']);
  });

  test('are asked for again when the EHR has smaller pages', async () => {
    searches = 'pages of ten';
    expect(ids(await readAll(IDS.slice(0, 40)))).toEqual(IDS.slice(0, 40));
    expect(requests.length).toBeLessThan(6);
  });

  test('who are missing in the answer are read alone; many of them count as refused', async () => {
    expect(ids(await readAll([...IDS.slice(0, 5), 'nobody']))).toEqual([...IDS.slice(0, 5), 'absent']);
    const nobodies = Array.from({ length: 20 }, (_, i) => `nobody-${i}`);
    expect(ids(await readAll([IDS[0]!, ...nobodies]))).toEqual([IDS[0], ...nobodies.map(() => 'refused')]);
  });

  test.each(['refused', 'HTML'] as const)('are read one by one when the search is %s', async (how) => {
    searches = how;
    expect(ids(await readAll(IDS.slice(0, 5)))).toEqual(IDS.slice(0, 5));
    expect(requests).toHaveLength(6);
  });

  test('all fail when the EHR does not answer', async () => {
    searches = 'down';
    expect(new Set(ids(await readAll(IDS.slice(0, 5))))).toEqual(new Set(['failed']));
  });
});

describe('IA-8 a policy of 2,150 patients', () => {
  let server: AuthorizationServer;
  beforeAll(async () => {
    server = await authorizationServer();
    return () => server.close();
  });

  test('asks the EHR in some searches, and then from memory', async () => {
    // The record is at the other server; only it counts.
    const through = getGlobalDispatcher().compose((dispatch) => (options, handler) => {
      const { pathname } = new URL(server.fhirBaseUrl);
      if (!options.path.startsWith(`${pathname}/Patient`)) return dispatch(options, handler);
      const other = new URL(options.path.replace(pathname, base()));
      return dispatch({ ...options, origin: other.origin, path: other.pathname + other.search }, handler);
    });
    const auth = authorizer({ dispatcher: () => through, now: Date.now, baseUrl: 'https://img.example.org' });
    server.tokens.set('backend', { scope: 'system/*.rs', client_id: 'b', exp: Date.now() / 1000 + 3600 });
    const tenant = tenantOf(server.fhirBaseUrl, {
      client: server.client,
      modes: ['backend-services'],
      policy: [{ client_id: 'b', patients: IDS }],
    });
    const { patients } = await auth.authorize(tenant, 'backend');
    expect((patients as readonly PatientGrant[]).map(({ identity }) => identity?.id)).toEqual(IDS);
    expect(requests.length).toBeLessThan(60);
    await auth.authorize(tenant, 'backend');
    expect(requests.length).toBeLessThan(60);
  });
});
