/**
 * Measures whether other callers are harmed while one attacks: the built gateway runs as a process, watched from
 * inside (how long the event loop is blocked) and from outside (how long /health/live takes, how much memory it
 * needs).
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { startGateway, type GatewayProcess } from './gateway.ts';

/** Milliseconds for which the event loop may be blocked. */
export const MOST_HELD = 50;
/** Milliseconds that /health/live may wait, at the 99.9th percentile. */
const LONGEST_WAIT = 100;
/** Megabytes by which resident memory may grow. */
const MOST_GROWTH = 350;

export interface WatchedGateway extends GatewayProcess {
  /** Returns the longest block of the event loop since the call before, in milliseconds. */
  held(): Promise<number>;
}

/** Output of `health-poller.mjs`. */
export interface Polled {
  /** Milliseconds from the moment a request was due to the end of its answer, in ascending order. */
  waits: number[];
  /** Requests that were not answered with 200. */
  failures: number;
  /** Largest resident memory of the server while it was asked, in MB. */
  peakMegabytes: number;
}

/** Effects of an attack on other callers. */
export interface Harm {
  /** The longest block of the event loop, in milliseconds; waiting for a CPU does not count. */
  held: number;
  /**
   * The 99.9th percentile of the answer times of /health/live, asked every 20 ms by another process, in milliseconds.
   */
  wait: number;
  /** The same while as many processes as there are cores only compute; measured when `wait` is long. */
  waitBesideBurner: number | undefined;
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
    async held() {
      const { held } = (await json(connect(socket))) as { held: number };
      return held;
    },
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
  const started = performance.now();
  const idle = await residentMegabytes(gateway.pid);
  await gateway.held();
  const during = await polled(gateway, attack);
  const held = await gateway.held();
  const wait = percentile(during.waits);
  const seconds = (performance.now() - started) / 1000;
  return {
    held,
    wait,
    waitBesideBurner:
      wait > LONGEST_WAIT ? await waitBesideBurner(gateway, Math.min(seconds, 10)) : undefined,
    growth: during.peakMegabytes - idle,
    failures: during.failures,
  };
}

/**
 * Checks that a measured harm is within the bounds that hold for every caller.
 * @throws AssertionError with all measured values
 */
export function expectUnharmed(harm: Harm): void {
  const longestWait = Math.max(LONGEST_WAIT, 2 * (harm.waitBesideBurner ?? 0));
  const unharmed =
    harm.failures === 0 && harm.held <= MOST_HELD && harm.wait <= longestWait && harm.growth <= MOST_GROWTH;
  const bounds = { held: MOST_HELD, wait: longestWait, growth: MOST_GROWTH, failures: 0 };
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

async function waitBesideBurner(gateway: GatewayProcess, seconds: number): Promise<number> {
  const burners: ChildProcess[] = Array.from({ length: availableParallelism() }, () =>
    // It ends after a while even if this process ends first.
    spawn(
      process.execPath,
      ['-e', `const end = Date.now() + ${seconds * 1000 + 10_000}; while (Date.now() < end);`],
      {
        stdio: 'ignore',
      },
    ),
  );
  try {
    const { waits } = await polled(gateway, () => delay(seconds * 1000));
    return percentile(waits);
  } finally {
    for (const burner of burners) burner.kill('SIGKILL');
  }
}

function percentile(ascending: readonly number[]): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * 0.999))] ?? 0;
}
