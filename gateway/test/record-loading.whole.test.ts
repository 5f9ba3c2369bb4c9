/** The gateway while it loads a record: it listens at once, says how far it is, and answers from an older store. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startChild, type Child } from './setup/child.ts';
import { writeOpenTenant } from '../bench/whole-gateway.ts';
import { freePort } from './setup/free-port.ts';

const program = join(import.meta.dirname, '../../dist/gateway/main.js');
vi.setConfig({ testTimeout: 90_000 });
let directory: string;
let running: Child | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'record-loading-'));
  await mkdir(join(directory, 'records'));
  await writeOpenTenant(directory);
});
afterEach(async () => {
  await running?.end('SIGKILL');
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

/** Starts the gateway. @returns its URL, when it listens */
async function start(): Promise<string> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const settings = {
    PORT: port,
    HOST: '127.0.0.1',
    BASE_URL: url,
    SHUTDOWN_DELAY_SECONDS: 0,
    DIMSE_PORT: 0,
    TENANTS_DIR: join(directory, 'tenants'),
    DATA_DIR: join(directory, 'data'),
  };
  const assignments = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const listens = async () => (await get(`${url}/health/live`)).status === 200;
  running = await startChild('/usr/bin/env', [...assignments, process.execPath, program], listens, 60_000);
  return url;
}

async function get(url: string) {
  const { statusCode, headers, body } = await request(url, { reset: true });
  return { status: statusCode, headers, json: (await body.json()) as Record<string, unknown> };
}

/** A file that the loader cannot read to its end as long as nobody closes the other end. */
function endlessFile(name: string): () => void {
  const path = join(directory, 'records', name);
  execFileSync('mkfifo', [path]);
  // Opened for both: neither end waits for the other.
  const end = openSync(path, 'r+');
  writeSync(end, `${JSON.stringify({ resourceType: 'Patient', id: 'late' })}\n`);
  return () => closeSync(end);
}

const patients = '/t/fhir/Patient?_sort=_id';

test('a record that is being loaded: live, not ready, and 503 that says to try again', async () => {
  await writeFile(join(directory, 'records/a.ndjson'), JSON.stringify({ resourceType: 'Patient', id: 'a' }));
  endlessFile('b.ndjson');
  const url = await start();
  const ready = await get(`${url}/health/ready`);
  expect(ready).toMatchObject({ status: 503, json: { status: 'loading' } });
  expect(ready.json['records']).toMatchObject([{ files: expect.any(Number), resources: 0 }]);
  const answer = await get(url + patients);
  expect(answer.status).toBe(503);
  expect(answer.headers['retry-after']).toBeDefined();
  expect(JSON.stringify(answer.json)).toContain('The record is being loaded');
  // To stop is no error.
  await running!.end();
  expect(running!.log()).toContain('stopping');
  expect(running!.log()).not.toContain('"level":50');
});

test('the store of an earlier start answers while changed data are loaded', async () => {
  await writeFile(join(directory, 'records/a.ndjson'), JSON.stringify({ resourceType: 'Patient', id: 'a' }));
  const first = await start();
  await expect.poll(async () => (await get(`${first}/health/ready`)).status, { timeout: 30_000 }).toBe(200);
  expect(await get(first + patients)).toMatchObject({ status: 200 });
  await running!.end();
  endlessFile('b.ndjson');
  const url = await start();
  await expect.poll(async () => (await get(`${url}/health/ready`)).status, { timeout: 30_000 }).toBe(200);
  const { status, json } = await get(url + patients);
  expect(status).toBe(200);
  expect(json['entry']).toHaveLength(1);
});

test('a record that cannot be loaded stops only its tenant', async () => {
  await writeFile(join(directory, 'records/a.json'), '{"resourceType":');
  const url = await start();
  await expect.poll(async () => (await get(`${url}/health/ready`)).status, { timeout: 30_000 }).toBe(200);
  expect((await get(url + patients)).status).toBe(503);
  await expect.poll(running!.log).toContain('a.json is not FHIR JSON');
  await rm(join(directory, 'records/a.json'));
  await writeFile(join(directory, 'records/b.ndjson'), JSON.stringify({ resourceType: 'Patient', id: 'b' }));
  await expect.poll(async () => (await get(url + patients)).status, { timeout: 30_000 }).toBe(200);
});
