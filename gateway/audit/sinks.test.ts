import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ALLOWED, type AuditEvent } from '../../schema/audit.ts';
import { parseTenant } from '../../schema/tenant.ts';
import { auditSinks } from './sinks.ts';
import { requestsIn, verify } from './verify.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function tenantWith(audit: object) {
  const images = { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint: 'http://127.0.0.1:1' };
  const file = { authorization: { type: 'mock', disableAuthzChecks: true }, images, audit };
  const origin = { key: 'ward', path: 'ward', dynamic: false, directory: folder, environment: {} };
  return parseTenant(file, origin).tenant;
}

const event = (request: string): AuditEvent => ({
  ...{ action: 'search', type: 'ImagingStudy', outcome: ALLOWED, tenant: 'ward' },
  ...{ request, time: '2026-11-24T12:00:00.000Z' },
});

function sinksOf(more: { most?: number } = {}) {
  const registry = new Registry();
  const logged: [object, string][] = [];
  const out: string[] = [];
  const note = (details: object, message: string) => void logged.push([details, message]);
  const sinks = auditSinks({
    baseUrl: 'http://localhost',
    stdout: (line) => out.push(line),
    fetch: () => fetch,
    log: { error: note, warn: note },
    registry,
    backOff: 20,
    ...more,
  });
  const counted = async (destination: string, fate: string) => {
    const metric = await registry.getSingleMetric('audit_records_total')!.get();
    return metric.values.find(
      ({ labels }) => labels['destination'] === destination && labels['fate'] === fate,
    )?.value;
  };
  return { sinks, logged, out, counted };
}

describe('IA-30 where records go', () => {
  test('stdout: a line each', async () => {
    const { sinks, out, counted } = sinksOf();
    sinks.record(tenantWith({ type: 'stdout' }), event('a'));
    expect(out).toHaveLength(1);
    expect(out[0]!.endsWith('\n')).toBe(true);
    expect(JSON.parse(out[0]!)).toMatchObject({ resourceType: 'AuditEvent' });
    expect(await counted('stdout', 'recorded')).toBe(1);
  });

  test('file: appended in order, readable by its owner only, opened anew after rotation', async () => {
    const path = join(folder, 'log', 'audit.ndjson');
    const tenant = tenantWith({ type: 'file', path });
    const { sinks } = sinksOf();
    const ids = Array.from({ length: 2500 }, (_, index) => `request-${index}`);
    for (const id of ids) sinks.record(tenant, event(id));
    await expect.poll(async () => (await stat(path).catch(() => undefined))?.size ?? 0).toBeGreaterThan(0);
    await rename(path, `${path}.1`);
    await new Promise((done) => setTimeout(done, 100));
    sinks.record(tenant, event('after'));
    await sinks.close();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const [before, after] = await Promise.all([readFile(`${path}.1`, 'utf8'), readFile(path, 'utf8')]);
    expect(verify([...ids, 'after'], before + after)).toMatchObject({
      events: 2501,
      missing: [],
      unreadable: 0,
    });
    expect(verify(['after'], after)).toMatchObject({ missing: [] });
  });

  describe('a FHIR server', () => {
    let server: Server;
    let status = 201;
    const bodies: string[] = [];
    beforeEach(async () => {
      status = 201;
      bodies.length = 0;
      server = createServer((request, response) => {
        let body = '';
        request.on('data', (chunk: Buffer) => (body += chunk.toString()));
        request.on('end', () => {
          if (status === 201) bodies.push(`${request.method} ${request.url} ${body}`);
          response.writeHead(status).end();
        });
      });
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    });
    afterEach(() => {
      server.closeAllConnections();
      server.close();
    });
    const repository = () =>
      tenantWith({ type: 'fhir', baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });

    test('each is created once, also those that waited for an outage to end', async () => {
      const { sinks, logged, counted } = sinksOf();
      status = 503;
      for (let index = 0; index < 20; index++) sinks.record(repository(), event(`request-${index}`));
      await expect.poll(() => logged.length).toBe(1);
      expect(bodies).toHaveLength(0);
      status = 201;
      await expect.poll(() => bodies.length).toBe(20);
      await sinks.close();
      expect(new Set(bodies).size).toBe(20);
      expect(bodies[0]).toMatch(/^POST \/AuditEvent \{"resourceType":"AuditEvent"/);
      expect(await counted('fhir', 'recorded')).toBe(20);
      expect(await counted('fhir', 'dropped')).toBeUndefined();
    });

    test('what waits is bounded: the rest is dropped, counted and told; closing does not wait for ever', async () => {
      const { sinks, logged, counted } = sinksOf({ most: 10 });
      status = 503;
      const started = performance.now();
      for (let index = 0; index < 1000; index++) sinks.record(repository(), event(`request-${index}`));
      expect(performance.now() - started).toBeLessThan(500);
      expect(await counted('fhir', 'dropped')).toBe(990);
      await sinks.close();
      expect(performance.now() - started).toBeLessThan(7000);
      expect(await counted('fhir', 'dropped')).toBe(1000);
      expect(logged.map(([, message]) => message)).toContain('audit records were dropped');
    }, 15_000);

    test('a record that is refused for good does not hold up the others', async () => {
      const { sinks, counted } = sinksOf();
      status = 422;
      sinks.record(repository(), event('refused'));
      await expect.poll(() => counted('fhir', 'rejected')).toBe(1);
      status = 201;
      sinks.record(repository(), event('next'));
      await sinks.close();
      expect(bodies).toHaveLength(1);
    });
  });
});

test('verify finds the requests for data in a log, and which of them left no record', async () => {
  const line = (reqId: string, route: string, more: object = {}) =>
    JSON.stringify({ msg: 'answered', reqId, route, method: 'GET', tenant: 'ward', ...more });
  const log = [
    line('a', '/:tenant/fhir/ImagingStudy'),
    line('b', '/:tenant/dicomweb/studies'),
    line('c', '/:tenant/fhir/metadata'),
    line('d', '/:tenant/graphql', { method: 'OPTIONS' }),
    line('e', '/:tenant/oauth/token'),
    line('f', '/health/live', { tenant: undefined }),
    'not JSON',
  ].join('\n');
  expect(requestsIn(log)).toEqual(['a', 'b']);
  const { sinks, out } = sinksOf();
  sinks.record(tenantWith({ type: 'stdout' }), event('a'));
  expect(verify(requestsIn(log), `${out.join('')}${log}`)).toEqual({
    ...{ requests: 2, events: 1, missing: ['b'], unreadable: 7 },
  });
});
