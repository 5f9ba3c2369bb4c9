/**
 * The embedded store at a million resources, through the whole gateway as `npm start` runs it: its load, searches, pages,
 * and how long /health/live waits meanwhile. `POPULATION` is the number of patients (default 4,300, with 1,035,000
 * resources). `OLD` names a built checkout for comparison, which takes turns with this one.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { sharedDataPresent } from '../test/setup/shared-data.ts';
import { alternate, duration, median, type Figure } from './measure.ts';
import { exportFigures } from './export-figures.ts';
import { facetFigures } from './facet-figures.ts';
import { policyRate } from './policy-pages.ts';
import { startWholeGateway, statusOf, writeOpenTenant, type WholeGateway } from './whole-gateway.ts';
import { writePopulation, type Population } from './data/synthea-copies.ts';

const root = join(import.meta.dirname, '../..');
const PATIENTS = Number(process.env['POPULATION'] ?? 4_300);
const ROUNDS = 15;
/** The page that must cost what the first one costs. */
const FAR_PAGE = 6_000;
/** Milliseconds for the load of the old commit. */
const OLD_LOAD = 3_600_000;

/** First pages, each with the largest median in milliseconds and how much faster than the old commit it must be. */
const SEARCHES: Record<string, { query: string; atMost: number; timesOld: number }> = {
  'status=final': { query: 'Observation?status=final', atMost: 30, timesOld: 15 },
  'category and date': { query: 'Observation?category=laboratory&date=ge2015', atMost: 30, timesOld: 15 },
  '_sort=-date': { query: 'Observation?_sort=-date', atMost: 30, timesOld: 15 },
  'code:not': { query: 'Observation?code:not=http://loinc.org|8302-2', atMost: 30, timesOld: 15 },
};

/** Totals, and what is included. `$n` is another number in each round: an answer that is kept costs nothing. */
const COUNTS: Record<string, string> = {
  'count of half by date': 'Observation?_summary=count&date=gt2012-05-05T10:00:$n',
  'count of all by date': 'Observation?_summary=count&date=gt1900-01-01T10:00:$n',
  'count of none by date': 'Observation?_summary=count&date=gt2100-01-01T10:00:$n',
  'count by code and date':
    'Observation?_summary=count&code=http://loinc.org|8302-2&date=gt2012-05-05T10:00:$n',
  'count by category and date': 'Observation?_summary=count&category=laboratory&date=gt2012-05-05T10:00:$n',
  'page with its total': 'Observation?_total=accurate&date=gt2012-05-05T10:00:$n',
  '_revinclude of a page of reports': 'Observation?_revinclude=DiagnosticReport:result&_offset=$n',
  '_revinclude of all that fits': 'Patient?_revinclude=Observation:patient&_offset=$n',
};

export async function bench(): Promise<Figure[]> {
  if (!sharedDataPresent) return [];
  const directory = await mkdtemp(join(tmpdir(), 'store-bench-'));
  const servers: WholeGateway[] = [];
  try {
    execFileSync(process.execPath, [join(root, 'gateway/build.mjs')], { stdio: 'inherit' });
    const population = writePopulation(join(directory, 'records'), PATIENTS);
    await writeOpenTenant(directory);
    const { OLD } = process.env;
    const old = OLD ? await start(OLD, directory, 'old') : undefined;
    if (old) servers.push(old);
    const begun = performance.now();
    const current = await start(root, directory, 'new');
    servers.push(current);
    const figures = await loadFigures(current, population, begun);
    figures.push(...(await searchFigures(current, old, population)));
    figures.push(...(await countFigures(current)));
    figures.push(...(await pageFigures(current)));
    figures.push({
      what: 'store: memory after the searches',
      value: (await current.memory()).now,
      unit: 'MB',
      atMost: 300,
    });
    const seconds = await secondsOfStart(servers, current, directory);
    figures.push({ what: 'store: first answer of a later start', value: seconds, unit: 's', atMost: 2 });
    figures.push(...(await facetFigures(directory, population)));
    figures.push(...(await policyRate(directory, population, OLD)));
    figures.push(...(await exportFigures(directory, population)));
    return figures;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await rm(directory, { recursive: true, force: true });
  }
}

/** @param name of its data; it is ready when it answers a search, even with a refusal */
function start(checkout: string, directory: string, name: string): Promise<WholeGateway> {
  const readyPath = '/t/fhir/Patient?_count=1';
  return startWholeGateway({ checkout, directory, name, readyPath, timeout: OLD_LOAD });
}

async function loadFigures(
  server: WholeGateway,
  { resources }: Population,
  begun: number,
): Promise<Figure[]> {
  const alive = pollLive(server);
  while ((await statusOf(`${server.origin}/health/ready`)) !== 200) await sleep(100);
  const seconds = (performance.now() - begun) / 1000;
  const { peak } = await server.memory();
  return [
    { what: 'store: resources', value: resources, unit: '' },
    { what: 'store: first answer, not loaded yet', value: server.firstAnswer / 1000, unit: 's', atMost: 2 },
    { what: 'store: load, indexes included', value: resources / seconds, unit: '/s', atLeast: 5_000 },
    { what: 'store: most memory during the load', value: peak, unit: 'MB', atMost: 300 },
    { what: 'store: longest wait of /health/live meanwhile', value: await alive(), unit: 'ms', atMost: 50 },
  ];
}

/** Asks for /health/live every 20 ms. @returns a function that ends it and gives the longest wait in milliseconds */
function pollLive({ origin }: WholeGateway): () => Promise<number> {
  const waits: number[] = [];
  let ended = false;
  const polling = (async () => {
    while (!ended) {
      waits.push(await duration(() => statusOf(`${origin}/health/live`)));
      await sleep(20);
    }
  })();
  return async () => {
    ended = true;
    await polling;
    return Math.max(...waits);
  };
}

interface Bundle {
  entry?: unknown[];
  link: { relation: string; url: string }[];
}

async function ask({ origin }: WholeGateway, query: string): Promise<Bundle> {
  const url = query.startsWith('http') ? query : `${origin}/t/fhir/${query}`;
  const { statusCode, body } = await request(url);
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`${query} answered ${statusCode}: ${text.slice(0, 300)}`);
  return JSON.parse(text) as Bundle;
}

async function searchFigures(
  current: WholeGateway,
  old: WholeGateway | undefined,
  { patients }: Population,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  const alive = pollLive(current);
  const ofPatient = await medianOf((round) => ask(current, `Observation?patient=${patients[round * 7]}`));
  figures.push({ what: 'store: Observation?patient=', value: ofPatient, unit: 'ms', atMost: 5 });
  for (const [name, { query, atMost, timesOld }] of Object.entries(SEARCHES)) {
    const timed = (server: WholeGateway) => () => duration(() => ask(server, query));
    const contenders: Record<string, () => Promise<number>> = { current: timed(current) };
    if (old) contenders['old'] = timed(old);
    const { current: now, old: before } = await alternate(contenders, ROUNDS);
    figures.push({ what: `store: ${name}`, value: now!.median, unit: 'ms', atMost });
    if (!before) continue;
    figures.push({ what: '… old commit', value: before.median, unit: 'ms' });
    figures.push({ what: '… beside the old commit', value: before.ratio, unit: '×', atLeast: timesOld });
  }
  figures.push({
    what: 'store: longest wait of /health/live meanwhile',
    value: await alive(),
    unit: 'ms',
    atMost: 50,
  });
  return figures;
}

async function countFigures(server: WholeGateway): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [name, query] of Object.entries(COUNTS)) {
    const value = await medianOf((round) => ask(server, query.replace('$n', String(10 + round))), ROUNDS);
    figures.push({ what: `store: ${name}`, value, unit: 'ms', atMost: 50 });
  }
  return figures;
}

async function medianOf(work: (round: number) => Promise<unknown>, rounds = 40): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) times.push(await duration(() => work(round)));
  return median(times);
}

/** Follows the links of a search to its last page, or to the page 6,000. */
async function pageFigures(server: WholeGateway): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const query of ['Observation?status=final', 'Observation?_sort=-date']) {
    const times: number[] = [];
    let url: string | undefined = query;
    for (let page = 0; page < FAR_PAGE && url !== undefined; page++) {
      const at: string = url;
      times.push(
        await duration(async () => {
          const { link } = await ask(server, at);
          url = link.find(({ relation }) => relation === 'next')?.url;
        }),
      );
    }
    // The first pages warm up the compiler.
    const ratio = median(times.slice(-100)) / median(times.slice(20, 120));
    const what = `store: page ${times.length} beside page 1 of ${query}`;
    figures.push({ what, value: ratio, unit: '×', atMost: 2 });
  }
  return figures;
}

/** Starts the gateway again, on its loaded store. */
async function secondsOfStart(
  servers: WholeGateway[],
  current: WholeGateway,
  directory: string,
): Promise<number> {
  await current.stop();
  const again = await start(root, directory, 'new');
  servers.push(again);
  return again.firstAnswer / 1000;
}
