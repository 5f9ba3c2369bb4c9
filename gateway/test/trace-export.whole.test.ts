/** The export of traces by the built gateway: without it, to a collector that is away, and when the process stops. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { freePort } from './setup/free-port.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';
import { startTraceCollector } from './setup/trace-collector.ts';
import { timeAwake } from './setup/processor-time.ts';

const directory = mkdtempSync(join(tmpdir(), 'trace-export-'));
beforeAll(() => {
  const tenant = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    images: { type: 'folder', lookup: 'all-studies-on-server', path: directory },
  };
  writeFileSync(join(directory, 'open.json'), JSON.stringify(tenant));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const open = (environment: Record<string, string>) =>
  startGateway({ TENANTS_DIR: directory, ...environment });
async function statusOf({ url }: GatewayProcess): Promise<number> {
  const { statusCode, body } = await request(`${url}/open/dicomweb/studies`);
  await body.dump();
  return statusCode;
}

describe('without a collector that works', () => {
  const answers = async (endpoint: string) => {
    const of = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_BSP_SCHEDULE_DELAY: '50' });
    // If one waited for its export, all would take longer than a test may.
    for (let n = 0; n < 40; n++) expect(await statusOf(of)).toBe(200);
    return of;
  };

  test('requests are answered, and it is logged once', async () => {
    const of = await answers(`http://127.0.0.1:${await freePort()}`);
    const lines = () => of.log().match(/traces cannot be exported/g) ?? [];
    await vi.waitFor(() => expect(lines()).toHaveLength(1), { timeout: 20_000, interval: 100 });
    await statusOf(of);
    expect(await timeAwake(() => of.stop())).toBeLessThan(6_000);
    expect(lines()).toHaveLength(1);
  }, 120_000);

  test('a collector that hangs delays neither requests nor the stop', async () => {
    const hanging = await startTraceCollector({ hangs: true });
    const of = await answers(hanging.url);
    await vi.waitFor(() => expect(hanging.received.length).toBeGreaterThan(0), { timeout: 10_000 });
    expect(await timeAwake(() => of.stop())).toBeLessThan(6_000);
    await hanging.close();
  }, 120_000);
});

/** Returns the modules that a gateway has loaded when it stops. */
async function loaded(environment: Record<string, string>): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'loaded-'));
  const of = await open({ NODE_V8_COVERAGE: folder, ...environment });
  expect(await statusOf(of)).toBe(200);
  await of.stop();
  const urls = readdirSync(folder).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { result: { url: string }[] };
    return result.map(({ url }) => url);
  });
  rmSync(folder, { recursive: true, force: true });
  expect(urls.join()).toContain('/dist/gateway/main.js');
  return urls;
}

test('OpenTelemetry is loaded only with OTEL_EXPORTER_OTLP_ENDPOINT; spans that wait are sent at the stop', async () => {
  // Others load the API, which does nothing by itself.
  const hasSdk = (url: string) =>
    url.startsWith('file:') && readFileSync(new URL(url), 'utf8').includes('BatchSpanProcessorBase');
  expect((await loaded({})).filter(hasSdk)).toEqual([]);
  const collector = await startTraceCollector();
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: 'another' };
  expect((await loaded(traced)).filter(hasSdk)).toHaveLength(1);
  // The usual delay of a batch is longer than this process lives.
  expect(collector.spans.map(({ name }) => name)).toContain('GET /:tenant/dicomweb/studies');
  expect([...collector.services]).toEqual(['another']);
  await collector.close();
}, 120_000);
