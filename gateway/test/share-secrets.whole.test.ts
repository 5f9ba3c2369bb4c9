/** IA-36, SM-14 Secrets of a link in what its use leaves behind: log, audit, traces, metrics and the log of nginx. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Endpoint } from 'fhir/r4.js';
import { afterAll, expect, test, vi } from 'vitest';
import { logger } from '../http/logger.ts';
import { metrics } from '../http/metrics.ts';
import { Traces } from '../traces/traces.ts';
import { startAccelNginx } from './setup/nginx.ts';
import { startTraceCollector } from './setup/trace-collector.ts';
import {
  decrypt,
  inDays,
  MARIA,
  PASSCODE,
  readLink,
  resources,
  startShareGateway,
  type SharedLink,
} from './share-gateway.ts';

const WRONG = 'a wrong passcode of somebody';
const started: { close(): unknown }[] = [];
afterAll(async () => {
  for (const one of started.reverse()) await one.close();
});

test('no log, trace, metric or audit record has a key, link, passcode or capability', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'share-secrets-'));
  started.push({ close: () => rmSync(directory, { recursive: true, force: true }) });
  const collector = await startTraceCollector();
  started.push(collector);
  const settings = { endpoint: collector.url, serviceName: 'gateway', ratio: 1 };
  const traces = new Traces(settings, logger('silent'));
  const measured = traces.with(metrics());
  const gateway = await startShareGateway({ measured, limits: { traces } });
  started.push(gateway);
  const upstreams = {
    key: 'k'.repeat(32),
    gateway: gateway.baseUrl,
    archive: 'http://127.0.0.1:1/dicom-web',
  };
  const nginx = await startAccelNginx(directory, upstreams);
  started.push({ close: () => nginx.end() });

  const token = await gateway.token(`Patient/${MARIA}`);
  const [study = ''] = await gateway.studiesOf(token);
  const send = async (
    path: string,
    { json, method, as }: { json?: object; method?: string; as?: string } = {},
  ) => {
    const answer = await fetch(`${nginx.url}${path}`, {
      method: method ?? (json ? 'POST' : 'GET'),
      headers: {
        ...(json && { 'content-type': 'application/json' }),
        ...(as && { authorization: `Bearer ${as}` }),
      },
      body: json ? JSON.stringify(json) : null,
    });
    return { status: answer.status, text: await answer.text() };
  };
  const made = await send('/clinic/share', {
    as: token,
    json: { studies: [study], expires: inDays(5), uses: 5, passcode: PASSCODE },
  });
  expect(made.status).toBe(201);
  const { id, link } = JSON.parse(made.text) as SharedLink;
  const { path, key } = readLink(link);
  const open = (more: object) =>
    send(path, { json: { recipient: 'Dr Weiss', passcode: PASSCODE, embeddedLengthMax: 0, ...more } });
  expect((await open({ passcode: WRONG })).status).toBe(401);
  const { files } = JSON.parse((await open({})).text) as { files: { location: string }[] };
  const tickets = files.map(({ location }) => new URL(location).pathname);
  const bundles = await Promise.all(
    tickets.map(async (ticket) => (await decrypt((await send(ticket)).text, key)).bundle),
  );
  for (const ticket of tickets) expect((await send(ticket)).status).toBe(404);
  const address = new URL(
    resources(bundles).find(
      (one): one is Endpoint => one.resourceType === 'Endpoint' && /shared/.test(one.address),
    )!.address,
  ).pathname;
  const read = [`${address}/studies/${study}/metadata`, `${address}/studies/${study}/rendered`];
  for (const one of read) expect((await send(one)).status).toBe(200);
  for (const one of ['/nothing', '/studies/1.2.3/metadata', '/%2e%2e/%2e%2e'])
    expect((await send(`${address}${one}`)).status).toBe(404);
  expect((await send(`${path}/more?again=1`)).status).toBe(404);
  expect((await send(`/clinic/share/${id}`, { method: 'DELETE', as: token })).status).toBe(204);
  for (const one of read) expect((await send(one)).status).toBe(404);
  expect((await open({})).status).toBe(404);

  await traces.close();
  const written = {
    log: gateway.lines.join(''),
    traces: collector.received.join(''),
    metrics: await measured.registry.metrics(),
    proxy: readFileSync(join(directory, 'access.log'), 'utf8'),
    'errors of the proxy': readFileSync(join(directory, 'nginx.log'), 'utf8'),
  };
  // All of them have written what happened.
  expect(written.log).toContain(id);
  await vi.waitFor(() =>
    expect(collector.spans.map(({ name }) => name)).toContain('POST /:tenant/shl/:link'),
  );
  expect(written.metrics).toContain('/:tenant/shl/:link');
  expect(written.proxy).toContain('"POST /clinic/shl/" 200');
  const secrets = {
    key,
    link: path.split('/').at(-1)!,
    passcode: PASSCODE,
    'wrong passcode': WRONG,
    capability: address.split('/')[3]!,
    ...Object.fromEntries(tickets.map((ticket, index) => [`ticket ${index}`, ticket.split('.').at(-1)!])),
  };
  const found = Object.entries(written).flatMap(([place, text]) =>
    Object.entries(secrets).flatMap(([name, secret]) =>
      text.includes(secret) ? [`${name} in ${place}`] : [],
    ),
  );
  expect(found).toEqual([]);
}, 120_000);
