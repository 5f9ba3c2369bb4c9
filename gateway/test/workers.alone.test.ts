import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXPLICIT_LITTLE_ENDIAN } from '../demo/dicom-file.ts';
import { NUMBER } from '../workers/messages.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';
import { imageObject, SMALL } from './setup/image-object.ts';

/** WORKERS: several processes share the port; what only one can have is in the first, to which the others pass requests on. */

const PROCESSES = 3;
const STUDY = '1.2.3';
let folder: string;
let gateway: GatewayProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'workers-'));
  const object = imageObject(
    STUDY,
    EXPLICIT_LITTLE_ENDIAN,
    SMALL,
    new Uint8Array(SMALL.rows * SMALL.columns),
  );
  await writeFile(join(folder, 'image.dcm'), object);
  const open = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'none' },
    images: { type: 'folder', path: '.', lookup: 'all-studies-on-server' },
  };
  const own = {
    type: 'embedded',
    modes: ['backend-services'],
    clients: [
      { client_id: 'analyst', client_secret: 'a-secret-of-the-analyst-0123456789', scope: 'system/*.rs' },
    ],
    policy: [{ client_id: 'analyst', patients: ['p1'] }],
  };
  const tenants = {
    open,
    limited: { ...open, limits: { requestsPerMinute: 6 } },
    own: { ...open, authorization: own },
  };
  for (const [key, tenant] of Object.entries(tenants))
    await writeFile(join(folder, `${key}.json`), JSON.stringify(tenant));
  gateway = await startGateway({ TENANTS_DIR: folder, WORKERS: String(PROCESSES) });
}, 60_000);
afterAll(async () => {
  await gateway?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface GatewayWorker {
  pid: number;
  number: number;
}

/** Returns the processes that answer. */
function processes(): GatewayWorker[] {
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(gateway.pid)], { encoding: 'utf8' });
  return children
    .trim()
    .split(/\s+/)
    .map((pid) => ({ pid: Number(pid), number: numberOf(pid) }))
    .filter(({ number }) => number > 0)
    .sort((a, b) => a.number - b.number);
}

/** Returns 0 for a process that has just ended. */
function numberOf(pid: string): number {
  const environment = `/proc/${pid}/environ`;
  const variables = existsSync(environment) ? readFileSync(environment, 'utf8').split('\0') : [];
  return Number(variables.find((one) => one.startsWith(`${NUMBER}=`))?.slice(NUMBER.length + 1) ?? 0);
}

type Sent = Parameters<typeof request>[1];

/** Sends a request over a connection of its own, which the processes take in turn. */
async function ask(path: string, sent: Sent = {}) {
  const {
    statusCode: status,
    headers,
    body,
  } = await request(`${gateway.url}${path}`, { headersTimeout: 4000, ...sent, reset: true });
  return { status, headers, body: await body.text() };
}

const text = async (path: string) => (await ask(path)).body;
const many = <T>(count: number, work: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));

/** Returns the sum of a metric over its labels. */
function counted(metrics: string, name: string, label = ''): number {
  const lines = metrics.split('\n').filter((line) => line.startsWith(name) && line.includes(label));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const FIRST_STATE = `/open/dicomweb/studies/${STUDY}`;

test('all processes answer, and the metrics are those of all', async () => {
  await expect.poll(() => processes().length, { timeout: 30_000 }).toBe(PROCESSES);
  const metric = 'http_request_duration_seconds_count';
  const label = 'api="dicomweb"';
  const before = counted(await text('/metrics'), metric, label);
  const answers = await many(30, () => ask(FIRST_STATE));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(counted(await text('/metrics'), metric, label) - before).toBe(30);
  expect(processes().map(({ number }) => number)).toEqual([1, 2, 3]);
});

describe('state of one process is the same whichever process is asked', () => {
  test('a link is used once', async () => {
    const sent = { method: 'POST', headers: { 'content-type': 'application/json' } } as const;
    const links = await many(4, () =>
      ask('/open/wado/links', { ...sent, body: JSON.stringify({ path: `studies/${STUDY}` }) }),
    );
    for (const { status, body } of links) {
      expect(status).toBe(201);
      const { url } = JSON.parse(body) as { url: string };
      const used = await many(6, () => ask(new URL(url).pathname));
      expect(used.map((one) => one.status).sort()).toEqual([200, 403, 403, 403, 403, 403]);
    }
  });

  test('requests are counted together', async () => {
    const answers = await many(12, () => ask(`/limited/dicomweb/studies/${STUDY}`));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(6);
    expect(statuses.filter((status) => status === 429)).toHaveLength(6);
  });

  test('a token of our own authorization server is known', async () => {
    const form = 'grant_type=client_credentials&scope=system/*.rs';
    const credentials = Buffer.from('analyst:a-secret-of-the-analyst-0123456789').toString('base64');
    const { body } = await ask('/own/oauth/token', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${credentials}` },
      body: form,
    });
    const { access_token: token } = JSON.parse(body) as { access_token: string };
    expect(token).toBeTruthy();
    const headers = { authorization: `Bearer ${token}` };
    const answers = await many(9, () => ask('/own/dicomweb/studies', { headers }));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });
});

test('a request that is passed on leaves one line in the log, with its own id', async () => {
  for (let index = 0; index < PROCESSES; index++) {
    const id = `passed-on-${index}`;
    const { status, headers } = await ask('/own/fhir/ImagingStudy', { headers: { 'x-request-id': id } });
    expect(status).toBe(401);
    expect(headers['x-request-id']).toBe(id);
    expect(headers['www-authenticate']).toMatch(/^Bearer/);
    await expect.poll(() => gateway.log().split(`"reqId":"${id}"`).length - 1).toBe(1);
  }
});

describe('a process that is killed is started again', () => {
  test('one of the others: clients find the rest', async () => {
    const { pid } = processes().find(({ number }) => number === 2)!;
    process.kill(pid, 'SIGKILL');
    const answers = await many(20, () => ask(FIRST_STATE).catch(() => ({ status: 0 })));
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(15);
    await expect.poll(() => processes().length, { timeout: 20_000 }).toBe(PROCESSES);
    expect(processes().map((one) => one.pid)).not.toContain(pid);
  });

  test('the first: what is passed on is refused until it is back', async () => {
    const { pid } = processes().find(({ number }) => number === 1)!;
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => processes().map((one) => one.pid)).not.toContain(pid);
    const answers = await many(8, () => ask('/own/dicomweb/studies'));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
    expect(answers[0]!.headers['retry-after']).toBe('2');
    expect((await ask(FIRST_STATE)).status).toBe(200);
    await expect.poll(async () => (await ask('/own/dicomweb/studies')).status, { timeout: 20_000 }).toBe(401);
  });
});

test('SIGTERM ends all processes', async () => {
  await expect.poll(() => processes().length, { timeout: 20_000 }).toBe(PROCESSES);
  const pids = processes().map(({ pid }) => pid);
  await gateway.stop();
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
});
