import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, request } from 'undici';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { EXPLICIT_LITTLE_ENDIAN } from '../demo/dicom-file.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';
import { imageObject, SMALL } from './setup/image-object.ts';
import { restartUnderLoad } from './setup/restarted-processes.ts';
import { longTest } from './setup/usual-run.ts';

/** An instance is stopped while clients use it and another one takes over: no request fails. */

const STUDY = '1.2.3';
const DELAY_SECONDS = 2;
/** Longer than any test. */
const LONG_DELAY_SECONDS = 60;
let folder: string;
const gateways: GatewayProcess[] = [];
let clients: ReturnType<typeof steadyClients> | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rolling-restart-'));
  // Far larger than the buffers of a connection.
  const described = { ...SMALL, rows: 1024, columns: 1024, numberOfFrames: 60 };
  const object = imageObject(STUDY, EXPLICIT_LITTLE_ENDIAN, described, new Uint8Array(1024 * 1024 * 60));
  await writeFile(join(folder, 'image.dcm'), object);
  const open = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'none' },
    images: { type: 'folder', path: '.', lookup: 'all-studies-on-server' },
  };
  await writeFile(join(folder, 'open.json'), JSON.stringify(open));
});
afterEach(async () => {
  await clients?.stop();
  clients = undefined;
});
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  await rm(folder, { recursive: true, force: true });
});

async function start(delay: number): Promise<GatewayProcess> {
  const gateway = await startGateway({ TENANTS_DIR: folder, SHUTDOWN_DELAY_SECONDS: String(delay) });
  gateways.push(gateway);
  return gateway;
}

const STUDY_PATH = `/open/dicomweb/studies/${STUDY}`;
const status = async (url: string) => {
  const { statusCode, body } = await request(url, { reset: true });
  await body.dump();
  return statusCode;
};
const isRunning = ({ pid }: GatewayProcess) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
async function secondsUntilEnd(gateway: GatewayProcess, most = 30): Promise<number> {
  const started = performance.now();
  await expect.poll(() => isRunning(gateway), { timeout: most * 1000, interval: 20 }).toBe(false);
  return (performance.now() - started) / 1000;
}

interface Answer {
  by: GatewayProcess;
  /** Milliseconds as of `performance.now()`. */
  sent: number;
  outcome: number | string;
  closes: boolean;
}

/**
 * Starts clients that send requests without a pause and without retries, each to an instance that was ready 0.1 s
 * ago.
 */
function steadyClients(instances: readonly GatewayProcess[]) {
  const ready = new Set(instances);
  const answers: Answer[] = [];
  const pools = new Map(instances.map((one) => [one, new Pool(one.url, { connections: 4 })]));
  let stopping = false;
  const balancer = instances.map(async (one) => {
    while (!stopping) {
      const answered = await status(`${one.url}/health/ready`).catch(() => 0);
      if (answered === 200) ready.add(one);
      else ready.delete(one);
      await delay(100);
    }
  });
  const client = async (number: number) => {
    for (let turn = number; !stopping; turn++) {
      const upstream = [...ready];
      const by = upstream[turn % upstream.length]!;
      const sent = performance.now();
      const kept = number % 2 === 0;
      try {
        const path = `${STUDY_PATH}/series`;
        const response = await (kept
          ? pools.get(by)!.request({ method: 'GET', path })
          : request(by.url + path, { reset: true }));
        await response.body.json();
        const closes = response.headers['connection'] === 'close';
        answers.push({ by, sent, outcome: response.statusCode, closes });
      } catch (error) {
        answers.push({ by, sent, outcome: String(error), closes: true });
      }
      await delay(20);
    }
  };
  const clients = Array.from({ length: 4 }, (_, number) => client(number));
  return {
    answers,
    async stop() {
      stopping = true;
      await Promise.all([...balancer, ...clients]);
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    },
  };
}

/** Begins a download; nobody reads more of it than fits into buffers. */
function begunDownload(gateway: GatewayProcess): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(gateway.url + STUDY_PATH, resolve).on('error', reject);
  });
}

async function lengthOf(response: IncomingMessage): Promise<number> {
  let length = 0;
  for await (const chunk of response) length += (chunk as Buffer).length;
  return length;
}

test('SIGTERM: no request fails while another instance takes over, and a download is completed', async () => {
  const [first, second] = await Promise.all([start(DELAY_SECONDS), start(LONG_DELAY_SECONDS)]);
  const whole = await lengthOf(await begunDownload(second));
  const { answers } = (clients = steadyClients([first, second]));
  const ofFirst = () => answers.filter(({ by }) => by === first);
  await expect.poll(() => ofFirst().length, { timeout: 20_000 }).toBeGreaterThan(20);
  const download = await begunDownload(first);

  const stopped = performance.now();
  process.kill(first.pid, 'SIGTERM');
  await expect.poll(() => status(`${first.url}/health/ready`), { interval: 10 }).toBe(503);
  expect(await status(`${first.url}/health/live`)).toBe(200);
  // A client that still uses the instance is answered, with `connection: close`.
  const announced = performance.now();
  const late = await request(`${first.url}${STUDY_PATH}/metadata`);
  await late.body.dump();
  expect([late.statusCode, late.headers['connection']]).toEqual([200, 'close']);

  await delay(DELAY_SECONDS * 1000 + 500);
  await expect(status(`${first.url}/health/live`)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(isRunning(first)).toBe(true);
  expect(await lengthOf(download)).toBe(whole);
  expect(await secondsUntilEnd(first)).toBeLessThan(5);
  await delay(300);
  await clients.stop();
  clients = undefined;

  const failed = answers.filter(({ outcome }) => outcome !== 200);
  expect(failed).toEqual([]);
  expect(ofFirst().filter(({ sent }) => sent < stopped).length).toBeGreaterThan(10);
  expect(ofFirst().filter(({ sent, closes }) => sent > announced && !closes)).toEqual([]);
  expect(answers.at(-1)!.by).toBe(second);
}, 120_000);

longTest(
  'a second signal ends the process at once',
  async () => {
    // The instance that took over still runs.
    const gateway = gateways.find(isRunning) ?? (await start(LONG_DELAY_SECONDS));
    process.kill(gateway.pid, 'SIGTERM');
    await expect.poll(() => status(`${gateway.url}/health/ready`), { interval: 10 }).toBe(503);
    process.kill(gateway.pid, 'SIGINT');
    expect(await secondsUntilEnd(gateway)).toBeLessThan(5);
  },
  120_000,
);

longTest(
  'no request fails while six processes of one installation are replaced one after the other',
  async () => {
    const { requests, replaced, failures } = await restartUnderLoad(100);
    expect(failures).toEqual([]);
    expect(replaced).toBe(6);
    expect(requests).toBeGreaterThan(1000);
  },
  300_000,
);
