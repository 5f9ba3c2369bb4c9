/** A FHIR server that hangs or refuses connections is remembered: only the first caller waits for it (DW-23 for the record). */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { startFaultProxy, type FaultProxy } from '../../../gateway/test/setup/fault-proxy.ts';
import { timeAwake } from '../../../gateway/test/setup/processor-time.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { ClinicalSubgraph } from '../app.ts';
import { accessOf, openClinical, startClinical, startFhirServer, tenantOf } from '../test/servers.ts';

/** Milliseconds that the first caller waits. */
const TIMEOUT = 3000;

let store: Awaited<ReturnType<typeof startClinical>>;
let server: Awaited<ReturnType<typeof startFhirServer>>;
let proxy: FaultProxy;
let record: { subgraph: ClinicalSubgraph; tenant: Tenant; other: Tenant };
/** Requests that the server keeps waiting. */
let held: RegExp | undefined;
const logged: [level: string, details: object, message: string][] = [];

beforeAll(async () => {
  store = await startClinical();
  const hold = (path: string) => (held?.test(path) ? new Promise(() => undefined) : undefined);
  server = await startFhirServer(store.subgraph, store.tenant, { hold });
  proxy = await startFaultProxy(() => Number(new URL(server.base).port));
});
beforeEach(() => {
  logged.length = 0;
  const line = (level: string) => (details: object, message: string) =>
    void logged.push([level, details, message]);
  const log = { info: line('info'), warn: line('warn'), error: line('error') };
  const at = (baseUrl: string) => tenantOf({ type: 'fhir', baseUrl });
  record = {
    subgraph: openClinical({ timeout: TIMEOUT, log }),
    tenant: at(server.base.replace(/:\d+/, `:${proxy.port}`)),
    other: at(server.base),
  };
});
afterEach(async () => {
  held = undefined;
  await proxy.restore();
  await record.subgraph.close();
});
afterAll(async () => {
  await proxy.stop();
  await server.end();
  await store.end();
});

const search = async (tenant = record.tenant, type = 'Condition') => {
  try {
    await record.subgraph.open(tenant, accessOf('system/*.rs')).search(type, { params: [], count: 5 });
    return 'answered';
  } catch (error) {
    return [(error as Fault).code, (error as Fault).details.retryAfter];
  }
};
const away = () => record.subgraph.awaySources().map(({ tenant, source }) => ({ tenant, source }));
const AWAY = [{ tenant: 'test', source: 'clinical (fhir)' }];

test.each(['hang', 'refuse'] as const)(
  'connections that %s cost the first caller its timeout, nobody else, and no other server',
  async (way) => {
    expect(await search()).toBe('answered');
    await proxy[way]();
    expect(await search()).toEqual(['unavailable', 5]);
    // A connection that was open when the server went away is reset: only a new one is refused.
    const isAway = async () => (await search(), expect(away()).toEqual(AWAY));
    await vi.waitFor(isAway, { timeout: 15_000, interval: 20 });
    for (let i = 0; i < 20; i++) {
      const refused = async () => expect(await search()).toEqual(['unavailable', 5]);
      expect(await timeAwake(refused)).toBeLessThan(TIMEOUT / 2);
    }
    expect(await search(record.other)).toBe('answered');
    await proxy.restore();
    await vi.waitFor(async () => expect(await search()).toBe('answered'), { timeout: 5000, interval: 100 });
    expect(away()).toEqual([]);
    const where = expect.objectContaining({
      tenant: 'test',
      'FHIR server': expect.stringContaining('/fhir'),
    });
    expect(logged).toEqual([
      ['warn', where, expect.stringContaining('the FHIR server is away')],
      ['info', where, 'the FHIR server answers again'],
    ]);
  },
  60_000,
);

test('a search that takes too long closes nothing for a server that answers others', async () => {
  held = /^\/Condition/;
  expect(await search()).toEqual(['unavailable', 5]);
  await new Promise((done) => setTimeout(done, 1000));
  expect(away()).toEqual([]);
  expect(await search(record.tenant, 'Observation')).toBe('answered');
}, 30_000);

test.each([
  [404, ['not_implemented', undefined]],
  [500, ['bad_gateway', undefined]],
  [503, ['unavailable', 5]],
])('an answer of %i closes nothing', async (status, expected) => {
  const answering = await startFhirServer(store.subgraph, store.tenant, { status });
  try {
    const tenant = tenantOf({ type: 'fhir', baseUrl: answering.base });
    for (let i = 0; i < 3; i++) expect(await search(tenant)).toEqual(expected);
    expect(away()).toEqual([]);
    expect(answering.requests.length).toBeGreaterThanOrEqual(3);
  } finally {
    await answering.end();
  }
});
