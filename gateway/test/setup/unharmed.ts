/**
 * Measures whether other callers are harmed while one attacks: the built gateway runs as a process, watched from
 * inside (how long the event loop is blocked, how long /health/live waits for other work) and from outside (if it is
 * answered, how much memory the process needs). Times are those in which the main thread worked: programs beside do not
 * change them.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { json } from 'node:stream/consumers';
import { startGateway, type GatewayProcess } from './gateway.ts';

/** Milliseconds of work for which the event loop may be blocked. */
export const MOST_HELD = 50;
/** Milliseconds of work that /health/live may wait for, at the 99.9th percentile. */
const LONGEST_WAIT = 100;
/** Megabytes by which resident memory may grow. */
const MOST_GROWTH = 350;

export interface WatchedGateway extends GatewayProcess {
  /** Returns the measurements since the call before. */
  watched(): Promise<Watched>;
}

/** Answer of `event-loop-watch.mjs`, in milliseconds of work of the main thread. */
interface Watched {
  /** The longest turn of the event loop, without garbage collections. */
  held: number;
  /** From the moment at which each request of `health-poller.mjs` was due to the end of its answer. */
  waits: number[];
}

/** Output of `health-poller.mjs`. */
export interface Polled {
  /** Requests that were not answered with 200. */
  failures: number;
  /** Largest resident memory of the server while it was asked, in MB. */
  peakMegabytes: number;
}

/** Effects of an attack on other callers. Times are milliseconds in which the main thread worked. */
export interface Harm {
  /** The longest turn of the event loop, without garbage collections. */
  held: number;
  /** The 99.9th percentile of the waiting times of /health/live, asked every 20 ms by another process. */
  wait: number;
  /** Megabytes of resident memory at the peak, above those before the attack. */
  growth: number;
  /** Requests to /health/live that were not answered with 200. */
  failures: number;
}

/**
 * Starts the built gateway, as `npm start` does, with its event loop watched.
 * @param options `tenants`: file contents by key, in place of the project's tenants; `environment`: further settings
 */
export async function startWatchedGateway(
  options: { tenants?: Record<string, unknown>; environment?: Record<string, string> } = {},
): Promise<WatchedGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'watched-'));
  const socket = join(folder, 'event-loop');
  const environment: Record<string, string> = {
    WATCH_SOCKET: socket,
    NODE_OPTIONS: `--import=${new URL('event-loop-watch.mjs', import.meta.url).href}`,
    ...options.environment,
  };
  if (options.tenants) {
    environment['TENANTS_DIR'] = folder;
    for (const [key, tenant] of Object.entries(options.tenants)) {
      await writeFile(join(folder, `${key}.json`), JSON.stringify(tenant));
    }
  }
  const gateway = await startGateway(environment);
  return {
    ...gateway,
    watched: async () => (await json(connect(socket))) as Watched,
    async stop() {
      await gateway.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Runs an attack and measures its effects on other callers. Send a harmless request of the same kind before: a first
 * request compiles and loads code, which is no harm of the attack.
 */
export async function harmOf(gateway: WatchedGateway, attack: () => Promise<unknown>): Promise<Harm> {
  const idle = await residentMegabytes(gateway.pid);
  await gateway.watched();
  const { failures, peakMegabytes } = await polled(gateway, attack);
  const { held, waits } = await gateway.watched();
  return { held, wait: percentile(waits), growth: peakMegabytes - idle, failures };
}

/**
 * Checks that a measured harm is within the bounds that hold for every caller.
 * @throws AssertionError with all measured values
 */
export function expectUnharmed(harm: Harm): void {
  const bounds = { held: MOST_HELD, wait: LONGEST_WAIT, growth: MOST_GROWTH, failures: 0 };
  const unharmed = (Object.keys(bounds) as (keyof Harm)[]).every((name) => harm[name] <= bounds[name]);
  assert(unharmed, `${JSON.stringify(harm)} exceeds ${JSON.stringify(bounds)}`);
}

async function residentMegabytes(pid: number): Promise<number> {
  const [, pages] = (await readFile(`/proc/${pid}/statm`, 'latin1')).split(' ');
  return (Number(pages) * 4096) / 1e6;
}

/** Sends requests to /health/live from another process while `work` runs. */
async function polled(gateway: GatewayProcess, work: () => Promise<unknown>): Promise<Polled> {
  const program = join(import.meta.dirname, 'health-poller.mjs');
  const child = spawn(process.execPath, [program, gateway.url, String(gateway.pid)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    await lines.next();
    await work();
    child.stdin.end();
    const { value } = (await lines.next()) as { value?: string };
    if (value === undefined) throw new Error('The process that polls /health/live ended early.');
    return JSON.parse(value) as Polled;
  } finally {
    child.kill();
  }
}

function percentile(values: readonly number[]): number {
  const ascending = values.toSorted((a, b) => a - b);
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * 0.999))] ?? 0;
}
