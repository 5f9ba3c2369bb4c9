/** The limit of requests in flight: what counts, what is refused, and what is always answered. */
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { metrics } from '../http/metrics.ts';
import { startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';
import { freePort } from './setup/free-port.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const QUERY = '{ Patient(id: "p1") { ConditionList { id } } }';

const OPEN = {
  authorization: { type: 'mock', disableAuthzChecks: true },
  images: { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:1' },
};

describe('a gateway with two requests in flight', () => {
  const measured = metrics();
  let gateway: GatewayAlone;
  /** Lets the conditions of each request in flight be answered. */
  let release: () => void = () => undefined;
  let begun = 0;
  const inFlight: Promise<Response>[] = [];
  const post = (path: string, body: object = { query: QUERY }) =>
    fetch(`${gateway.url}/open/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const counted = async () => (await fetch(`${gateway.url}/metrics`)).text();

  beforeAll(async () => {
    const open = new Promise<void>((done) => (release = done));
    const conditions = () => (begun++, open);
    const load = { maxInFlight: 2, maxEventLoopDelay: 60_000 };
    const more = { open: { ...OPEN, limits: { inFlight: 2 } } };
    gateway = await startGatewayAlone({ broken: { conditions }, more, app: { load, metrics: measured } });
    inFlight.push(post('graphql'), post('graphql'));
    await vi.waitFor(() => expect(begun).toBe(2), 10_000);
  }, 30_000);
  afterAll(() => gateway.close());

  const message = expect.stringContaining('too many requests');
  const outcome = { resourceType: 'OperationOutcome', issue: [{ code: 'transient' }] };
  const graphql = { errors: [{ message, extensions: { code: 'unavailable', status: 503, retryAfter: 2 } }] };
  test.each<[api: string, path: string, answer: object]>([
    ['GraphQL', 'graphql', graphql],
    ['FHIR', 'fhir/Patient/p1', outcome],
    ["FHIR's $graphql", 'fhir/$graphql', graphql],
    ['DICOMweb', 'dicomweb/studies', { error: 'unavailable', message }],
    ['assistants', 'mcp', { jsonrpc: '2.0', error: { data: { code: 'unavailable' } } }],
  ])('refuses a third with 503 and Retry-After, in the form of %s', async (_api, path, answer) => {
    const asked =
      path.includes('graphql') || path === 'mcp' ? post(path) : fetch(`${gateway.url}/open/${path}`);
    const refused = await asked;
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('2');
    expect(refused.headers.get('access-control-allow-origin')).toBe('*');
    expect(await refused.json()).toMatchObject(answer);
  });

  test('answers health and metrics, and counts', async () => {
    for (const path of ['health/live', 'health/ready'])
      expect((await fetch(`${gateway.url}/${path}`)).status).toBe(200);
    const text = await counted();
    expect(text).toContain('requests_in_flight 2\n');
    expect(text).toContain('requests_refused_total{reason="in-flight"} 5\n');
  });

  test('answers again when they are answered', async () => {
    release();
    for (const answer of await Promise.all(inFlight)) expect(answer.status).toBe(200);
    await vi.waitFor(async () => expect(await counted()).toContain('requests_in_flight 0\n'), 10_000);
    expect((await post('graphql')).status).toBe(200);
  });
});

test('requests are refused while the event loop is late, and health is not', async () => {
  const measured = metrics();
  const load = { maxInFlight: 1000, maxEventLoopDelay: 100 };
  const gateway = await startGatewayAlone({ app: { load, metrics: measured } });
  const status = async (path: string) => (await fetch(`${gateway.url}/${path}`)).status;
  try {
    await vi.waitFor(async () => expect(await status('open/fhir/Patient/p1')).toBe(200), 10_000);
    // The samples of more than a second, all late.
    const late = setInterval(() => {
      for (const end = performance.now() + 300; performance.now() < end;);
    }, 1);
    await vi.waitFor(async () => expect(await status('open/fhir/Patient/p1')).toBe(503), 20_000);
    expect(await status('health/live')).toBe(200);
    clearInterval(late);
    expect(await measured.registry.metrics()).toMatch(/requests_refused_total\{reason="pressure"\} [1-9]/);
    await vi.waitFor(async () => expect(await status('open/fhir/Patient/p1')).toBe(200), 20_000);
  } finally {
    await gateway.close();
  }
}, 60_000);

describe('a tenant whose requests hang', () => {
  const post = (gateway: GatewayAlone, tenant: string, query: string) =>
    fetch(`${gateway.url}/${tenant}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
  const ask = (gateway: GatewayAlone, tenant: string) =>
    post(gateway, tenant, '{ Patient(id: "p1") { id } }');
  const hang = (gateway: GatewayAlone, tenant: string) => post(gateway, tenant, QUERY);

  test.each<[what: string, limit: number | undefined, inFlight: number]>([
    ['half of MAX_IN_FLIGHT', undefined, 50],
    ['its limits.inFlight', 10, 10],
  ])(
    'gets no more than %s, and takes nothing from others',
    async (_what, limit, most) => {
      const measured = metrics();
      let begun = 0;
      let release: () => void = () => undefined;
      const open = new Promise<void>((done) => (release = done));
      const conditions = () => (begun++, open);
      const load = { maxInFlight: 100, maxEventLoopDelay: 60_000 };
      const hanging = { ...OPEN, ...(limit !== undefined && { limits: { inFlight: limit } }) };
      const more = { hanging, other: OPEN };
      const gateway = await startGatewayAlone({
        broken: { conditions },
        more,
        app: { load, metrics: measured },
      });
      onTestFinished(() => gateway.close());
      const inFlight = Array.from({ length: 120 }, () => hang(gateway, 'hanging'));
      const refused = async () =>
        (await measured.registry.metrics()).match(/"tenant-in-flight"\} (\d+)/)?.[1];
      await vi.waitFor(async () => expect([begun, await refused()]).toEqual([most, `${120 - most}`]), 20_000);
      const answer = await hang(gateway, 'hanging');
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
      for (let i = 0; i < 40; i++) expect((await ask(gateway, 'other')).status).toBe(200);
      release();
      const statuses = (await Promise.all(inFlight)).map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(most);
      expect(statuses.filter((status) => status === 503)).toHaveLength(120 - most);
      expect(await measured.registry.metrics()).toContain(
        `requests_refused_total{reason="tenant-in-flight"} ${121 - most}\n`,
      );
      await vi.waitFor(async () => expect((await ask(gateway, 'hanging')).status).toBe(200), 10_000);
    },
    60_000,
  );
});

describe('ten streams count as one request:', () => {
  const measured = metrics();
  let gateway: TestGateway;
  beforeAll(async () => {
    const files: Parameters<typeof buildTestGateway>[0] = ({ images, patients }) => ({
      open: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        clinical: { type: 'store', path: patients },
        images: { type: 'folder', lookup: 'all-studies-on-server', path: images },
      },
    });
    const limits = { load: { maxInFlight: 2, maxEventLoopDelay: 60_000 } };
    const port = await freePort();
    gateway = await buildTestGateway(files, undefined, undefined, { port, measured, limits });
  }, 120_000);
  afterAll(() => gateway.close());

  test('clients that do not read their images leave room for a request', async () => {
    const studies = (await (await fetch(`${gateway.baseUrl}/open/dicomweb/studies`)).json()) as {
      '0020000D': { Value: [string] };
    }[];
    const shown = async () => (await fetch(`${gateway.baseUrl}/metrics`)).text();
    const url = `${gateway.baseUrl}/open/dicomweb/studies/${studies[0]!['0020000D'].Value[0]}`;
    const open: IncomingMessage[] = [];
    const leave = () => open.forEach((answer) => answer.destroy());
    onTestFinished(leave);
    const retrieve = () =>
      new Promise<number>((resolve, reject) => {
        const asked = request(url, {
          headers: { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' },
        });
        asked.once('response', (answer) => {
          open.push(answer.pause());
          resolve(answer.statusCode!);
        });
        asked.once('error', reject).end();
      });
    for (let i = 0; i < 19; i++) expect(await retrieve()).toBe(200);
    expect(await shown()).toContain('streams_in_flight 19\n');
    // 1.9 of 2: one more request.
    expect((await fetch(`${gateway.baseUrl}/open/dicomweb/studies`)).status).toBe(200);
    // A client may have its answer before the server knows that it is sent.
    await vi.waitFor(async () => expect(await shown()).toContain('requests_in_flight 0\n'), 10_000);
    expect(await retrieve()).toBe(200);
    expect((await fetch(`${gateway.baseUrl}/open/dicomweb/studies`)).status).toBe(503);
    leave();
    await vi.waitFor(async () => expect(await shown()).toContain('streams_in_flight 0\n'), 10_000);
    expect(await shown()).toContain('requests_in_flight 0\n');
    expect((await fetch(`${gateway.baseUrl}/open/dicomweb/studies`)).status).toBe(200);
  }, 60_000);
});
