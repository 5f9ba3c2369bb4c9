/** Processes that are replaced one after the other while clients ask: two gateways, two of the record, two of the images. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, request } from 'undici';
import { freePort } from './free-port.ts';
import { startGateway, type GatewayProcess } from './gateway.ts';
import { startNginx } from './nginx.ts';

const ROLES = ['clinical', 'imaging', 'gateway'] as const;
type Role = (typeof ROLES)[number];
/** Seconds for which a process still listens after SIGTERM; a balancer leaves it out before. */
const DELAY_SECONDS = 2;
/** Milliseconds between two looks of a balancer at who is ready. */
const LOOK = 100;
const KEY = 'the key of all processes of this installation';
const PATIENT = 'demo-george-whitfield';
const QUERY = `{ Patient(id: "${PATIENT}") { birthDate ConditionList { id } ImagingStudyList { id series { uid } } } }`;

export interface RestartNumbers {
  requests: number;
  /** Processes that were replaced. */
  replaced: number;
  /** Each failed request: when, which, and why. */
  failures: string[];
  seconds: number;
}

/** Balances connections over the processes that are ready, as a Service of Kubernetes does. */
async function startBalancer(processes: ReadonlySet<GatewayProcess>) {
  let ready: GatewayProcess[] = [];
  let turn = 0;
  const look = async (): Promise<void> => {
    const found = await Promise.all(
      [...processes].map(async (one) => {
        const answer = await request(`${one.url}/health/ready`, { reset: true }).catch(() => undefined);
        await answer?.body.dump();
        return answer?.statusCode === 200 ? [one] : [];
      }),
    );
    ready = found.flat();
  };
  const ending = new AbortController();
  const looking = (async () => {
    while (!ending.signal.aborted) {
      await look();
      await delay(LOOK);
    }
  })();
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    const target = ready[turn++ % ready.length];
    if (!target) return socket.destroy();
    const upstream = connect(Number(new URL(target.url).port), '127.0.0.1');
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      open.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => open.delete(one));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      ending.abort();
      await looking;
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

/** Asks by the three APIs in turn. @returns why an answer is wrong; undefined for a right one */
async function askOnce(clients: Pool, number: number): Promise<string | undefined> {
  const [method, path, body] = [
    ['POST', '/open/graphql', JSON.stringify({ query: QUERY })],
    ['GET', `/open/fhir/Condition?patient=Patient/${PATIENT}`, undefined],
    ['GET', '/open/dicomweb/studies?limit=5', undefined],
  ][number % 3] as ['POST' | 'GET', string, string | undefined];
  try {
    const answer = await clients.request({
      method,
      path,
      headersTimeout: 30_000,
      ...(body && { body, headers: { 'content-type': 'application/json' } }),
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) return `${path}: ${answer.statusCode} ${text.slice(0, 300)}`;
    return text.includes('"errors"') ? `${path}: ${text.slice(0, 300)}` : undefined;
  } catch (error) {
    return `${path}: ${String(error)}`;
  }
}

/**
 * Starts six processes behind nginx, and replaces one after the other under load: a new one is ready before an old one
 * gets SIGTERM.
 * @param rate requests in a second
 */
export async function restartUnderLoad(rate: number): Promise<RestartNumbers> {
  const folder = await mkdtemp(join(tmpdir(), 'restarts-'));
  const processes = Object.fromEntries(ROLES.map((role) => [role, new Set()])) as Record<
    Role,
    Set<GatewayProcess>
  >;
  const balancers = {
    clinical: await startBalancer(processes.clinical),
    imaging: await startBalancer(processes.imaging),
    gateway: await startBalancer(processes.gateway),
  };
  const nginx = await startNginx(
    folder,
    (port) => `upstream gateways { server ${new URL(balancers.gateway.url).host}; keepalive 16; }
      server {
        listen 127.0.0.1:${port};
        location / { proxy_pass http://gateways; proxy_http_version 1.1; proxy_set_header Connection ""; }
      }`,
  );
  const start = async (role: Role): Promise<void> => {
    const environment = {
      BASE_URL: `http://127.0.0.1:${nginx.port}`,
      CLINICAL_URL: balancers.clinical.url,
      IMAGING_URL: balancers.imaging.url,
      SEALING_KEY: KEY,
      SHUTDOWN_DELAY_SECONDS: String(DELAY_SECONDS),
      PORT: String(await freePort()),
    };
    processes[role].add(await startGateway(environment, role === 'gateway' ? [] : [role]));
  };
  const clients = new Pool(`http://127.0.0.1:${nginx.port}`, { connections: 16 });
  try {
    for (const role of ROLES) await Promise.all([start(role), start(role)]);
    await answersAll(clients);
    return await underLoad(rate, clients, async () => {
      for (const role of ROLES) {
        for (const old of [...processes[role]]) {
          await start(role);
          await delay(5 * LOOK);
          await old.stop();
          processes[role].delete(old);
        }
      }
      return 2 * ROLES.length;
    });
  } finally {
    await clients.close();
    await nginx.end();
    await Promise.all(Object.values(balancers).map((one) => one.stop()));
    await Promise.all(Object.values(processes).flatMap((all) => [...all].map((one) => one.stop())));
    await rm(folder, { recursive: true, force: true });
  }
}

/** Waits until records and images are read. */
async function answersAll(clients: Pool): Promise<void> {
  for (let right = 0, asked = 0; right < 12; asked++) {
    const wrong = await askOnce(clients, asked);
    right = wrong === undefined ? right + 1 : 0;
    if (asked > 600) throw new Error(`The processes do not answer: ${wrong}`);
    if (wrong !== undefined) await delay(100);
  }
}

async function underLoad(
  rate: number,
  clients: Pool,
  restart: () => Promise<number>,
): Promise<RestartNumbers> {
  const begun = performance.now();
  const failures: string[] = [];
  const asked = new Set<Promise<void>>();
  let requests = 0;
  const timer = setInterval(() => {
    // As many as are due: a timer is late on a busy machine.
    while (requests < ((performance.now() - begun) / 1000) * rate) {
      const seconds = ((performance.now() - begun) / 1000).toFixed(2);
      const asking = askOnce(clients, requests++).then((wrong) => {
        if (wrong !== undefined) failures.push(`after ${seconds} s: ${wrong}`);
        asked.delete(asking);
      });
      asked.add(asking);
    }
  }, 5);
  const replaced = await restart().finally(() => clearInterval(timer));
  await Promise.all(asked);
  return { requests, replaced, failures, seconds: (performance.now() - begun) / 1000 };
}
