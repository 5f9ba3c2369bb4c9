/** The built gateway opens no connection that its configuration does not name. */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { buildDemoImages } from '../demo/images.ts';
import { FIRST_REQUEST } from '../pages/first-request.ts';
import { DEMO_IMAGES } from './setup/demo-images.ts';
import { freePort } from './setup/free-port.ts';

const root = join(import.meta.dirname, '../..');
const directory = mkdtempSync(join(tmpdir(), 'outbound-'));
const watched = join(directory, 'connections');
/** A server that the configuration names. */
const upstream = createServer((_request, response) => response.end('[]'));
let child: ReturnType<typeof spawn>;
let url: string;

beforeAll(async () => {
  await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done));
  const endpoint = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const demo = readFileSync(join(root, 'gateway/tenants/demo.json'), 'utf8');
  const tenants: Record<string, string> = {
    demo: demo.replace('"../demo/patients"', JSON.stringify(join(root, 'gateway/demo/patients'))),
    remote: JSON.stringify({
      authorization: { type: 'mock', disableAuthzChecks: true },
      clinical: { type: 'fhir', baseUrl: endpoint },
      images: { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint },
    }),
  };
  for (const [key, text] of Object.entries(tenants)) writeFileSync(join(directory, `${key}.json`), text);
  await buildDemoImages({ target: DEMO_IMAGES });
  cpSync(DEMO_IMAGES, join(directory, 'data/demo/images'), { recursive: true });
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const hook = join(import.meta.dirname, 'setup/connection-watch.mjs');
  const env = {
    PATH: process.env['PATH'],
    PORT: String(port),
    TENANTS_DIR: directory,
    DATA_DIR: join(directory, 'data'),
    SHUTDOWN_DELAY_SECONDS: '0',
    WATCH_CONNECTIONS: watched,
    NODE_OPTIONS: `--import=${hook}`,
  };
  child = spawn(process.execPath, [join(root, 'dist/gateway/main.js')], { env, stdio: 'ignore' });
  const ready = async () => expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  await vi.waitFor(ready, { timeout: 60_000, interval: 200 });
}, 120_000);
afterAll(async () => {
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await ended;
  upstream.close();
  rmSync(directory, { recursive: true, force: true });
});

test('at its start, and for requests of each API', async () => {
  const secret = readFileSync(join(directory, 'data/demo/secret'), 'utf8');
  const token = await fetch(`${url}/demo/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`demo-analyst:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'system/*.rs' }),
  });
  const { access_token: bearer } = (await token.json()) as { access_token: string };
  const authorization = `Bearer ${bearer}`;
  const ask = async (path: string, body?: object, accept = '*/*') => {
    const headers = { authorization, accept, ...(body && { 'content-type': 'application/json' }) };
    const method = body ? 'POST' : 'GET';
    const answer = await fetch(`${url}/${path}`, { method, headers, body: JSON.stringify(body) });
    return { status: answer.status, text: await answer.text() };
  };
  const patient = FIRST_REQUEST.variables.id;
  const rows = `{ Patient(id: "${patient}") { ObservationConnection { edges { resource { id } } } } }`;
  const planned = '{ __type(name: "Patient") { name } }';
  const indexed = async () => {
    const answer = await ask('demo/graphql', FIRST_REQUEST);
    expect(answer).toMatchObject({ status: 200, text: expect.not.stringContaining('"errors"') });
    return answer.text;
  };
  const text = await vi.waitFor(indexed, { timeout: 60_000, interval: 500 });
  const study = /"ImagingStudyList":\[\{"id":"([\d.]+)"/.exec(text)![1];
  const ASKED: [path: string, body?: object, accept?: string][] = [
    ['demo/graphql', { query: rows }, 'text/csv'],
    ['demo/graphql', { query: planned }],
    [`demo/fhir/Patient/${patient}/$everything`],
    [`demo/dicomweb/studies/${study}/thumbnail`, undefined, 'image/jpeg'],
    [`demo/dicomweb/studies/${study}/metadata`],
    ['demo/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/list' }, 'application/json, text/event-stream'],
    ...(['app/', 'demo/playground', 'schema.graphql', 'metrics'] as const).map((path) => [path] as [string]),
  ];
  for (const [path, ...asked] of ASKED)
    expect({ path, ...(await ask(path, ...asked)) }).toMatchObject({ path, status: 200 });

  const lines = () => [...new Set(readFileSync(watched, 'utf8').trim().split('\n'))];
  const opened = () => lines().filter((line) => !line.startsWith('watching thread'));
  expect(lines().length).toBeGreaterThan(1);
  expect(opened()).toEqual([]);

  // What the configuration names is seen. The start page asks each source whether it answers.
  for (const path of ['', 'remote/dicomweb/studies']) expect((await ask(path)).status).toBe(200);
  expect(opened()).toEqual([`connect 127.0.0.1:${(upstream.address() as AddressInfo).port}`]);
}, 120_000);
