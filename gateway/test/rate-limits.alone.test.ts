/** Rates of a tenant and its clients, in one gateway and in two with a real Redis. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { metrics } from '../http/metrics.ts';
import { openRedis } from '../state/open-redis.ts';
import type { SharedRedis } from '../state/redis.ts';
import { startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';
import { startRedis, type Redis } from './setup/redis.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const mock = { type: 'mock', disableAuthzChecks: true };
const JSON_TYPE = { 'content-type': 'application/json' };

describe('a request above the rate is 429 with Retry-After, in the form of its API:', () => {
  const audited: AuditEvent[] = [];
  const measured = metrics();
  let gateway: TestGateway;
  beforeAll(async () => {
    const files: Parameters<typeof buildTestGateway>[0] = ({ images, patients }) => {
      const tenant = {
        authorization: mock,
        clinical: { type: 'store', path: patients },
        images: { type: 'folder', lookup: 'all-studies-on-server', path: images },
        mcp: { enabled: true },
      };
      return { limited: { ...tenant, limits: { requestsPerMinute: 1 } }, unlimited: tenant };
    };
    gateway = await buildTestGateway(files, undefined, (_tenant, event) => audited.push(event), { measured });
    expect((await gateway.app.inject('/limited/fhir/Patient/none')).statusCode).toBe(404);
  }, 60_000);
  afterAll(() => gateway.close());

  const message = expect.stringContaining('Wait for Retry-After');
  const extensions = { code: 'too_many_requests', status: 429, retryAfter: expect.any(Number) };
  const error = { error: 'too_many_requests', message };
  const graphql = { errors: [{ message, extensions }] };
  const outcome = { resourceType: 'OperationOutcome', issue: [{ code: 'throttled', severity: 'error' }] };
  const FORMS: [api: string, url: string, body: object | undefined, answer: object][] = [
    ['FHIR of the record', 'fhir/Patient/none', undefined, outcome],
    ['FHIR of the images', 'fhir/ImagingStudy', undefined, outcome],
    ['DICOMweb', 'dicomweb/studies', undefined, error],
    ['GraphQL', 'graphql', { query: '{ __typename }' }, graphql],
    ["FHIR's $graphql", 'fhir/$graphql', { query: '{ __typename }' }, graphql],
    [
      'assistants',
      'mcp',
      { jsonrpc: '2.0', id: 1, method: 'ping' },
      { error: { data: { code: 'too_many_requests' } } },
    ],
  ];
  test.each(FORMS)('%s', async (_api, path, body, answer) => {
    const before = audited.length;
    const url = `/limited/${path}`;
    const sent = await gateway.app.inject({ url, ...(body && { method: 'POST', headers: JSON_TYPE, body }) });
    expect(sent.statusCode).toBe(429);
    expect(Number(sent.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(sent.headers['retry-after'])).toBeLessThanOrEqual(60);
    expect(sent.headers['access-control-allow-origin']).toBe('*');
    expect(sent.json()).toMatchObject(answer);
    expect(audited.slice(before).map(({ outcome }) => outcome)).toEqual([
      { kind: 'denied', code: 'too_many_requests' },
    ]);
  });

  test('it is counted', async () => {
    expect(await measured.registry.metrics()).toContain(
      `requests_refused_total{reason="client-rate"} ${FORMS.length}`,
    );
  });

  test('another address, discovery and a tenant without rates are answered', async () => {
    const { app } = gateway;
    const status = async (url: string, remoteAddress = '127.0.0.1') =>
      (await app.inject({ url, remoteAddress })).statusCode;
    expect(await status('/limited/fhir/metadata')).toBe(200);
    expect(await status('/limited/fhir/Patient/none')).toBe(429);
    expect(await status('/limited/fhir/Patient/none', '192.0.2.7')).toBe(404);
    expect(await status('/limited/fhir/Patient/none', '2001:db8::1')).toBe(404);
    // One customer has a whole network of IPv6.
    expect(await status('/limited/fhir/Patient/none', '2001:db8::2')).toBe(429);
    for (let i = 0; i < 5; i++) expect(await status('/unlimited/fhir/Patient/none')).toBe(404);
  });

  test('each entry of a batch counts', async () => {
    const entry = { request: { method: 'GET', url: 'Patient/none' } };
    const body = { resourceType: 'Bundle', type: 'batch', entry: [entry] };
    const headers = { 'content-type': 'application/fhir+json' };
    const request = {
      method: 'POST',
      url: '/limited/fhir',
      headers,
      body,
      remoteAddress: '192.0.2.8',
    } as const;
    const answer = await gateway.app.inject(request);
    expect(answer.json()).toMatchObject({ entry: [{ response: { status: expect.stringMatching('^429') } }] });
  });
});

/** Statuses of as many requests with a token. */
async function statuses({ url }: GatewayAlone, token: string, times: number): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < times; i++) {
    const headers = { authorization: `Bearer ${token}` };
    found.push((await fetch(`${url}/smart/fhir/Patient/p1`, { headers })).status);
  }
  return found;
}

/** Starts a gateway with three tokens: two of the client `app`, one of `other`. */
async function started(ofTenant: object, redis?: SharedRedis): Promise<GatewayAlone> {
  const gateway = await startGatewayAlone({ ofTenant, app: { ...(redis && { redis }) } });
  const token = gateway.ehr.tokens.get('everything')!;
  gateway.ehr.tokens.set('again', { ...token }).set('other', { ...token, client_id: 'other' });
  return gateway;
}

test('tokens of one client have one rate, other clients their own; a refused token uses up none', async () => {
  const gateway = await started({ requestsPerMinute: 3 });
  try {
    expect(await statuses(gateway, 'invented', 5)).toEqual([401, 401, 401, 401, 401]);
    expect(await statuses(gateway, 'everything', 2)).toEqual([200, 200]);
    expect(await statuses(gateway, 'again', 2)).toEqual([200, 429]);
    expect(await statuses(gateway, 'other', 2)).toEqual([200, 200]);
  } finally {
    await gateway.close();
  }
});

test('the rate of a tenant is that of all its clients; what one client is refused does not count', async () => {
  const gateway = await started({ requestsPerMinute: 2, tenantRequestsPerMinute: 3 });
  try {
    expect(await statuses(gateway, 'everything', 4)).toEqual([200, 200, 429, 429]);
    expect(await statuses(gateway, 'other', 2)).toEqual([200, 429]);
  } finally {
    await gateway.close();
  }
});

test('gateways count together in Redis, with names that are hashes; while it is away, each counts alone', async () => {
  const redis: Redis = await startRedis();
  const stores = [openRedis(redis.url), openRedis(redis.url)] as const;
  await vi.waitFor(() => expect(stores.every((store) => store.reachable())).toBe(true), 10_000);
  const limits = { requestsPerMinute: 4 };
  const gateways = await Promise.all(stores.map((store) => started(limits, store)));
  const [one, two] = gateways as [GatewayAlone, GatewayAlone];
  try {
    expect(await statuses(one, 'everything', 3)).toEqual([200, 200, 200]);
    expect(await statuses(two, 'everything', 2)).toEqual([200, 429]);
    const names = await stores[0].client.keys('rate:*');
    expect(names).toEqual([expect.stringMatching(/^rate:[\w-]{43}$/)]);
    expect(await stores[0].client.pttl(names[0]!)).toBeGreaterThan(0);

    // The first request finds a connection that does not answer, and waits half a second for it.
    redis.freeze();
    expect(await statuses(one, 'everything', 5)).toEqual([200, 200, 200, 200, 429]);
    redis.thaw();
    await redis.stop();
    await vi.waitFor(() => expect(stores[1].reachable()).toBe(false), 10_000);
    expect(await statuses(two, 'everything', 5)).toEqual([200, 200, 200, 200, 429]);
  } finally {
    await Promise.all(gateways.map((gateway) => gateway.close()));
    for (const store of stores) store.close();
    await redis.stop();
  }
}, 30_000);
