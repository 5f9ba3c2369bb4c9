/** The whole gateway, built, in a process of its own, as `npm start` runs it. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { startChild } from '../test/setup/child.ts';
import { freePort } from '../test/setup/free-port.ts';

export interface WholeGateway {
  origin: string;
  pid: number;
  /** Milliseconds from its start until it was ready. */
  firstAnswer: number;
  /** Megabytes that the process has now, and the most that it has had. */
  memory(): Promise<{ now: number; peak: number }>;
  stop(): Promise<void>;
}

/**
 * Starts a gateway. Its log and its audit trail go to a file: reading them would cost the client time.
 * @param checkout folder with a build
 * @param directory has `tenants/`; the gateway's data go into its folder `name`
 * @param readyPath is answered when the gateway is ready, with any status, or with the one in `status`
 * @param timeout milliseconds
 */
export async function startWholeGateway(options: {
  checkout: string;
  directory: string;
  name: string;
  readyPath?: string;
  status?: number;
  timeout?: number;
  /** Settings besides those of a bench. */
  environment?: Readonly<Record<string, string>>;
  /** Of the program: the process of a subgraph. */
  args?: readonly string[];
  port?: number;
}): Promise<WholeGateway> {
  const { checkout, directory, name, readyPath = '/health/ready', status, timeout = 60_000 } = options;
  const { environment, args = [], port = await freePort() } = options;
  const origin = `http://127.0.0.1:${port}`;
  const settings = {
    PORT: port,
    HOST: '127.0.0.1',
    BASE_URL: origin,
    SHUTDOWN_DELAY_SECONDS: 0,
    DIMSE_PORT: 0,
    TENANTS_DIR: join(directory, 'tenants'),
    DATA_DIR: join(directory, name),
    NODE_ENV: 'production',
    // As the image sets it.
    MALLOC_ARENA_MAX: 2,
    ...environment,
  };
  const assignments = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  const command = ['-c', 'log=$1; shift; exec env "$@" > "$log"', 'sh', join(directory, `${name}.log`)];
  const program = [process.execPath, ...nodeOptions(), join(checkout, 'dist/gateway/main.js'), ...args];
  const ready = async () => {
    const found = await statusOf(`${origin}${readyPath}`);
    return status === undefined || found === status;
  };
  const begun = performance.now();
  const child = await startChild('/bin/sh', [...command, ...assignments, ...program], ready, timeout);
  return {
    origin,
    pid: child.process.pid!,
    firstAnswer: performance.now() - begun,
    async memory() {
      const text = await readFile(`/proc/${child.process.pid}/status`, 'utf8');
      const megabytes = (key: string) => Number(new RegExp(`^${key}:\\s*(\\d+)`, 'm').exec(text)![1]) / 1000;
      return { now: megabytes('VmRSS'), peak: megabytes('VmHWM') };
    },
    stop: () => child.end(),
  };
}

/** Returns the megabytes that the largest child of a process has had at most. */
export async function memoryOfChildren(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const most = children
    .split(' ')
    .filter(Boolean)
    .map(async (child) => {
      const status = await readFile(`/proc/${child}/status`, 'utf8');
      return Number(/^VmHWM:\s*(\d+)/m.exec(status)![1]) / 1000;
    });
  return Math.max(...(await Promise.all(most)));
}

/** A gateway in three processes. */
export interface SplitGateway extends Pick<WholeGateway, 'origin' | 'pid'> {
  stop(): Promise<void>;
}

/** Starts the gateway and its subgraphs as a process each. @param directory as `startWholeGateway` */
export async function startSplitGateway(checkout: string, directory: string): Promise<SplitGateway> {
  const [port, clinical, imaging] = [await freePort(), await freePort(), await freePort()];
  const environment = {
    BASE_URL: `http://127.0.0.1:${port}`,
    CLINICAL_URL: `http://127.0.0.1:${clinical}`,
    IMAGING_URL: `http://127.0.0.1:${imaging}`,
    SEALING_KEY: 'the key of the processes of one bench',
  };
  const start = (name: string, own: { port: number; args?: readonly string[] }) =>
    startWholeGateway({ checkout, directory, name: `split-${name}`, status: 200, environment, ...own });
  const subgraphs = await Promise.all([
    start('clinical', { port: clinical, args: ['clinical'] }),
    start('imaging', { port: imaging, args: ['imaging'] }),
  ]);
  const gateway = await start('gateway', { port });
  return {
    origin: gateway.origin,
    pid: gateway.pid,
    async stop() {
      await Promise.all([gateway, ...subgraphs].map((one) => one.stop()));
    },
  };
}

/** Writes a tenant `t`, open to everybody, over the FHIR data in `records` and the empty folder `images`. @param keys of `images` */
export async function writeOpenTenant(directory: string, keys: object = {}): Promise<void> {
  await mkdir(join(directory, 'tenants'));
  await mkdir(join(directory, 'images'));
  const tenant = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'store', path: join(directory, 'records') },
    images: { type: 'folder', path: join(directory, 'images'), lookup: 'all-studies-on-server', ...keys },
  };
  await writeFile(join(directory, 'tenants/t.json'), JSON.stringify(tenant));
}

/** Options of Node for the gateways, such as `--cpu-prof` to profile them. */
const nodeOptions = () => (process.env['SERVER_OPTIONS'] ?? '').split(' ').filter(Boolean);

/** Returns the status of a GET over a connection of its own. */
export async function statusOf(url: string): Promise<number> {
  const { statusCode, body } = await request(url, { reset: true });
  await body.dump();
  return statusCode;
}
