/** Every connection pages to its end by cursor, under `system/` and `user/` scopes, within the tenant's policy (FG-29). */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { clinicalResources } from '../../schema/fhir/tables.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Patients of the demonstration, with many and with few resources. */
const PATIENTS = ['87a339d0-8cae-418e-89c7-8651e6aab3c6', 'demo-samir-haddad'];
const TYPES = [...clinicalResources, 'ImagingStudy'];
/** Rows on a page, so that most lists have several. */
const PAGE = 2;
let ehr: AuthorizationServer;
let gateway: TestGateway;

beforeAll(async () => {
  ehr = await authorizationServer();
  const exp = Math.floor(Date.now() / 1000) + 3600;
  ehr.tokens.set('system', { client_id: 'analyst', scope: 'system/*.rs', exp });
  ehr.tokens.set('user', { client_id: 'app', scope: 'user/*.rs', exp });
  gateway = await buildTestGateway(({ images, patients }) => {
    const tenant = (authorization: object) => ({
      authorization,
      clinical: { type: 'store', path: patients },
      images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
    });
    const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
    const policy = [{ client_id: 'analyst', patients: PATIENTS }];
    return {
      system: tenant({ ...smart, modes: ['backend-services'], policy }),
      user: tenant(smart),
      open: tenant({ type: 'mock', disableAuthzChecks: true }),
    };
  });
  for (const id of PATIENTS) {
    const { body } = await gateway.app.inject(`/open/fhir/Patient/${id}`);
    ehr.patients.set(id, JSON.parse(body) as Record<string, unknown>);
  }
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
});

const send = (tenant: string, query: string, accept: string) =>
  gateway.app.inject({
    method: 'POST',
    url: `/${tenant}/graphql`,
    payload: { query },
    headers: { accept, authorization: `Bearer ${tenant}` },
  });

interface Connection {
  count: number;
  next: string | null;
  edges: { resource: { id: string } }[];
}
type Answer = {
  data?: Record<string, Connection> & { Patient?: Record<string, Connection> };
  errors?: unknown;
};

/** Returns the ids of all pages, or the error of the first one. */
async function paged(tenant: string, queryOf: (args: string, fields: string) => string, name: string) {
  const ids: string[] = [];
  let cursor: string | null = null;
  let pages = 0;
  do {
    const args: string = `_count: ${PAGE}${cursor === null ? '' : `, _cursor: "${cursor}"`}`;
    const { body } = await send(tenant, queryOf(args, 'count next'), 'application/json');
    const { data, errors } = JSON.parse(body) as Answer;
    if (errors) return { error: errors as { extensions: { code: string } }[] };
    const { count, next, edges } = (data!.Patient ?? data!)[name]!;
    ids.push(...edges.map(({ resource }) => resource.id));
    if (next === null) expect([name, ids.length]).toEqual([name, count]);
    cursor = next;
    pages++;
  } while (cursor !== null);
  return { ids, pages };
}

/** Pages through a connection and streams it. @returns number of resources; undefined when both are refused */
async function checked(tenant: string, type: string, queryOf: (args: string, fields: string) => string) {
  const found = await paged(tenant, queryOf, `${type}Connection`);
  const streamed = await send(tenant, queryOf(`_count: ${PAGE}`, ''), 'application/x-ndjson');
  if (found.error) {
    const { errors } = JSON.parse(streamed.body) as { errors: unknown };
    expect([type, errors]).toEqual([
      type,
      [
        expect.objectContaining({
          extensions: expect.objectContaining({ code: found.error[0]!.extensions.code }),
        }),
      ],
    ]);
    return undefined;
  }
  const rows = streamed.body.split('\n').filter(Boolean);
  const ids = rows.map((row) => (JSON.parse(row) as { id: string }).id);
  expect([type, ids]).toEqual([type, found.ids]);
  expect(new Set(ids).size).toBe(ids.length);
  return found;
}

test('under a system/ scope: all of the patients of the policy, in pages and as a stream', async () => {
  const counts = new Map<string, number>();
  let several = 0;
  for (const type of TYPES) {
    const found = await checked(
      'system',
      type,
      (args, fields) => `{ ${type}Connection(${args}) { ${fields} edges { resource { id } } } }`,
    );
    if (found) counts.set(type, found.ids.length);
    if (found && found.pages > 1) several++;
  }
  expect(counts.get('Patient')).toBe(PATIENTS.length);
  expect(counts.get('ImagingStudy')).toBeGreaterThan(2);
  expect(several).toBeGreaterThan(3);
  // The same as a search for each of the patients, without a policy.
  for (const type of ['Observation', 'Condition', 'DiagnosticReport']) {
    const url = `/open/fhir/${type}?patient=${PATIENTS.join(',')}&_summary=count`;
    const { total } = JSON.parse((await gateway.app.inject(url)).body) as { total: number };
    expect([type, counts.get(type)]).toEqual([type, total]);
  }
});

test('under a user/ scope: all of the patient that the query names', async () => {
  let several = 0;
  for (const type of TYPES.filter((one) => one !== 'Patient')) {
    for (const id of PATIENTS) {
      const query = (args: string, fields: string) =>
        `{ Patient(id: "${id}") { ${type}Connection(${args}) { ${fields} edges { resource { id } } } } }`;
      const { body } = await send('user', query('_count: 1', ''), 'application/json');
      // Not every type refers to patients.
      if (body.includes('GRAPHQL_VALIDATION_FAILED') || body.includes('several ways')) continue;
      const found = await checked('user', type, query);
      if (found && found.pages > 1) several++;
    }
  }
  expect(several).toBeGreaterThan(3);
});
