/**
 * Many patients, each with its own token, through the whole gateway as `npm start` runs it: token check, audit and
 * log included. No patient follows itself, so that no recent answer helps.
 * An old commit takes turns with this one. `MIXED` is the number of requests before memory is measured.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { authorizationServer } from '../test/authorization-server.ts';
import { answerOf, ASKED, headersOf, PATIENTS, prepare, startOver, type Ask } from './distinct-patients.ts';
import { oldCheckout } from './old-checkout.ts';
import type { WholeGateway } from './whole-gateway.ts';
import { alternate, type Figure } from './measure.ts';
import { throughput } from './throughput.ts';

const root = join(import.meta.dirname, '../..');
const CONNECTIONS = 8;
const ROUNDS = 7;
/** Requests of one round. */
const REQUESTS = 2000;
/** Milliseconds in which V8 collects all garbage. */
const COLLECTION = 5000;
/** File into which a gateway writes its live heap. */
const LIVE_HEAP = 'live-heap';
const MIXED = Number(process.env['MIXED'] ?? 100_000);

const FIGURES: Record<keyof typeof ASKED, { what: string; timesOld: number }> = {
  imagingStudies: { what: 'ImagingStudy of a patient', timesOld: 9.5 },
  qido: { what: 'QIDO studies of a patient', timesOld: 1.5 },
  federated: { what: 'federated, patient and studies', timesOld: 2.5 },
};

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'distinct-'));
  const ehr = await authorizationServer();
  const servers = new Map<'new' | 'old', WholeGateway>();
  try {
    await prepare(directory, ehr);
    execFileSync(process.execPath, [join(root, 'gateway/build.mjs')], { stdio: 'inherit' });
    const environment = {
      NODE_OPTIONS: `--import=${new URL('live-heap.mjs', import.meta.url).href}`,
      LIVE_HEAP: join(directory, LIVE_HEAP),
    };
    servers.set('new', await startOver(root, directory, { name: 'new', environment }));
    servers.set('old', await startOver(await oldCheckout(), directory, { name: 'old' }));
    await compareAnswers([...servers.values()]);
    return [...(await speeds(servers)), ...(await memory(servers, directory))];
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()));
    await ehr.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Checks that all servers give the same answers, apart from addresses and remembered times. */
async function compareAnswers(servers: readonly WholeGateway[]): Promise<void> {
  for (const [name, ask] of Object.entries(ASKED)) {
    for (let patient = 1; patient <= PATIENTS; patient++) {
      const answers = await Promise.all(servers.map((server) => answerOf(server, ask, patient)));
      const settled = answers.map((text, index) =>
        text.replaceAll(servers[index]!.origin, '').replace(/"lastUpdated":"[^"]*"/g, ''),
      );
      if (new Set(settled).size > 1) throw new Error(`${name} of patient ${patient} is not the same.`);
    }
  }
}

/** Sends `count` requests, eight at a time. @returns requests in a second */
function load({ origin }: WholeGateway, asks: readonly Ask[], count: number): Promise<number> {
  return throughput(origin, { count, connections: CONNECTIONS }, async (connection, number) => {
    const patient = (number % PATIENTS) + 1;
    const { path, body } = asks[number % asks.length]!(patient);
    const bytes = await connection.send(`/t${path}`, headersOf(patient, body), body);
    if (bytes < 1000) throw new Error(`${path} answered ${bytes} bytes`);
  });
}

async function speeds(servers: ReadonlyMap<'new' | 'old', WholeGateway>): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const name of Object.keys(ASKED) as (keyof typeof ASKED)[]) {
    const { what, timesOld } = FIGURES[name];
    const contenders = Object.fromEntries(
      // The old one first: `alternate` compares the others with the first.
      [...servers]
        .toReversed()
        .map(([which, server]) => [which, () => load(server, [ASKED[name]], REQUESTS)]),
    );
    for (const server of servers.values()) await load(server, [ASKED[name]], REQUESTS);
    const result = await alternate(contenders, ROUNDS);
    figures.push({ what, value: result['new']!.median, unit: 'requests/s' });
    figures.push({ what: '… old commit', value: result['old']!.median, unit: 'requests/s' });
    figures.push({
      what: '… beside the old commit',
      value: result['new']!.ratio,
      unit: '×',
      atLeast: timesOld,
    });
  }
  return figures;
}

/** Memory after many requests, and after as many again. */
async function memory(
  servers: ReadonlyMap<'new' | 'old', WholeGateway>,
  directory: string,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  const asked = Object.values(ASKED);
  for (const [which, server] of servers) {
    await load(server, asked, MIXED);
    const { now: value } = await server.memory();
    const what = `memory after ${MIXED} mixed requests`;
    if (which === 'old') figures.push({ what: '… old commit', value, unit: 'MB' });
    if (which === 'old') continue;
    await load(server, asked, MIXED);
    const growth = (await server.memory()).now - value;
    figures.push({ what, value, unit: 'MB', atMost: 300 });
    // The collector does not give back all that it has had.
    figures.push({ what: '… more after as many again', value: growth, unit: 'MB', atMost: 20 });
    figures.push({
      what: '… live heap then',
      value: await liveHeap(server, directory),
      unit: 'MB',
      atMost: 120,
    });
  }
  return figures;
}

/** Returns the megabytes of the objects that are left after a collection of all garbage (`live-heap.mjs`). */
async function liveHeap({ pid }: WholeGateway, directory: string): Promise<number> {
  process.kill(pid, 'SIGUSR2');
  await delay(COLLECTION);
  return Number(await readFile(join(directory, LIVE_HEAP), 'utf8')) / 1e6;
}
