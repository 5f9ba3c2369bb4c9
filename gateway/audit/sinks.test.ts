import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { AuditEvent as FhirAuditEvent } from 'fhir/r4.js';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ALLOWED, type AuditEvent } from '../../schema/access/audit.ts';
import { parseTenant } from '../../schema/tenant/tenant.ts';
import { AuditLines } from './audit-lines.ts';
import { balpAuditEvent } from './audit-event.ts';
import { auditSinks } from './sinks.ts';
import { requestsIn, verify } from './verify.ts';
import { timeAwake } from '../test/setup/processor-time.ts';

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
  action: 'search',
  type: 'ImagingStudy',
  outcome: ALLOWED,
  tenant: 'ward',
  request,
  time: '2026-11-24T12:00:00.000Z',
});

function sinksOf(more: { most?: number; grace?: number } = {}) {
  const registry = new Registry();
  const logged: [object, string][] = [];
  const out: string[] = [];
  const note = (details: object, message: string) => void logged.push([details, message]);
  const sinks = auditSinks({
    baseUrl: 'http://localhost',
    stdout: (line) => out.push(line),
    fetch: () => fetch,
    now: () => Date.now() / 1000,
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

describe('IA-30 audit records', () => {
  test('stdout: are one line each, those of one turn in one write', async () => {
    const { sinks, out, counted } = sinksOf();
    for (const id of ['a', 'b']) sinks.record(tenantWith({ type: 'stdout' }), event(id));
    await setImmediate();
    sinks.record(tenantWith({ type: 'stdout' }), event('c'));
    sinks.record.flush();
    sinks.record(tenantWith({ type: 'stdout' }), event('d'));
    await sinks.close();
    expect(out.map((lines) => lines.split('\n').length - 1)).toEqual([2, 1, 1]);
    const records = out.join('').trimEnd().split('\n');
    for (const record of records) expect(JSON.parse(record)).toMatchObject({ resourceType: 'AuditEvent' });
    const ids = records.map(
      (record) => (JSON.parse(record) as FhirAuditEvent).entity?.[0]?.what?.identifier?.value,
    );
    expect(ids).toEqual(['a', 'b', 'c', 'd']);
    expect(await counted('stdout', 'recorded')).toBe(4);
  });

  test('are the same with and without a kept template, whatever texts they hold', () => {
    const lines = new AuditLines();
    const texts = ['plain', '"quoted"', '\\', '\u2028', '{"recorded":"x"}', '$&', ''];
    for (const user of texts) {
      for (const request of texts) {
        const time = new Date().toISOString();
        const one = { ...event(request), user, time };
        for (let twice = 0; twice < 2; twice++)
          expect(JSON.parse(lines.of(one, 'http://localhost/t'))).toEqual(
            JSON.parse(JSON.stringify(balpAuditEvent(one, 'http://localhost/t'))),
          );
      }
    }
  });

  test('file: are appended in order, readable by its owner only; a rotated file is opened anew', async () => {
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
    const presented: string[] = [];
    /** The Authorization header that the server accepts; any when undefined. */
    let wanted: string | undefined;
    let signIns = 0;
    beforeEach(async () => {
      wanted = undefined;
      signIns = 0;
      presented.length = 0;
      status = 201;
      bodies.length = 0;
      server = createServer((request, response) => {
        let body = '';
        request.on('data', (chunk: Buffer) => (body += chunk.toString()));
        request.on('end', () => {
          const { authorization = '' } = request.headers;
          if (request.url === '/token') {
            const known = authorization === `Basic ${Buffer.from('audit%3A1:s%2Fcret').toString('base64')}`;
            const granted = known && body === 'grant_type=client_credentials&scope=system%2FAuditEvent.c';
            response.writeHead(granted ? 200 : 401, { 'content-type': 'application/json' });
            return void response.end(JSON.stringify({ access_token: `token-${++signIns}`, expires_in: 300 }));
          }
          if (request.url === '/endless') {
            const more = () => void (response.destroyed || response.write(' '.repeat(1 << 16), more));
            return more();
          }
          presented.push(authorization);
          if (wanted !== undefined && authorization !== wanted) return void response.writeHead(401).end();
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
    const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const repository = (authentication?: object) =>
      tenantWith({ type: 'fhir', baseUrl: url(), ...(authentication && { authentication }) });
    const oauth2 = () => ({
      type: 'oauth2',
      tokenUrl: `${url()}/token`,
      client_id: 'audit:1',
      client_secret: 's/cret',
      scope: 'system/AuditEvent.c',
    });

    test.each<[string, () => object | undefined, string]>([
      ['not configured', () => undefined, ''],
      ['open', () => ({ type: 'open' }), ''],
      [
        'http-basic',
        () => ({ type: 'http-basic', username: 'u', password: 'p:w' }),
        `Basic ${Buffer.from('u:p:w').toString('base64')}`,
      ],
      ['bearer', () => ({ type: 'bearer', token: 'given' }), 'Bearer given'],
      ['oauth2', oauth2, 'Bearer token-1'],
    ])('signs in: %s', async (_title, authentication, header) => {
      const { sinks } = sinksOf();
      wanted = header;
      for (const id of ['a', 'b', 'c']) sinks.record(repository(authentication()), event(id));
      await expect.poll(() => bodies.length).toBe(3);
      await sinks.close();
      expect(new Set(presented)).toEqual(new Set([header]));
      expect(signIns).toBe(header === 'Bearer token-1' ? 1 : 0);
    });

    test('replaces a token that is no longer accepted, and loses no record', async () => {
      const { sinks, counted } = sinksOf();
      wanted = 'Bearer token-2';
      sinks.record(repository(oauth2()), event('a'));
      await expect.poll(() => bodies.length).toBe(1);
      await sinks.close();
      expect(presented).toEqual(['Bearer token-1', 'Bearer token-2']);
      expect(await counted('fhir', 'recorded')).toBe(1);
    });

    test('sends nothing without a token: records wait', async () => {
      const { sinks, logged, counted } = sinksOf({ grace: 300 });
      sinks.record(repository({ ...oauth2(), client_secret: 'wrong' }), event('a'));
      await expect.poll(() => logged.length).toBe(1);
      expect(presented).toEqual([]);
      expect(await counted('fhir', 'rejected')).toBeUndefined();
      expect(JSON.stringify(logged)).not.toContain('wrong');
      await sinks.close();
    });

    test('does not read a token from an endless answer', async () => {
      const { sinks, logged } = sinksOf({ grace: 300 });
      sinks.record(repository({ ...oauth2(), tokenUrl: `${url()}/endless` }), event('a'));
      await expect.poll(() => logged.length).toBe(1);
      expect(presented).toEqual([]);
      await sinks.close();
    });

    test('creates each record once, also those that waited during an outage', async () => {
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

    test('limits waiting records: drops, counts and logs the rest; closing does not wait for ever', async () => {
      const { sinks, logged, counted } = sinksOf({ most: 10, grace: 300 });
      status = 503;
      // `record` returns no promise: no request waits for its record.
      for (let index = 0; index < 1000; index++)
        expect(sinks.record(repository(), event(`request-${index}`))).toBeUndefined();
      expect(await counted('fhir', 'dropped')).toBe(990);
      expect(await timeAwake(() => sinks.close())).toBeLessThan(2000);
      expect(await counted('fhir', 'dropped')).toBe(1000);
      expect(logged.map(([, message]) => message)).toContain('audit records were dropped');
    });

    test('goes on after a record that is refused for good', async () => {
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

test('verify finds the requests for data in a log, and those of them without a record', async () => {
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
  sinks.record.flush();
  expect(verify(requestsIn(log), `${out.join('')}${log}`)).toEqual({
    requests: 2,
    events: 1,
    missing: ['b'],
    unreadable: 7,
  });
});
