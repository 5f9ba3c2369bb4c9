/**
 * The federated request of many patients through this gateway, and through others: patient and studies, 200 patients with
 * a token each, 32 connections of wrk. This gateway runs as `npm start` runs it, on its own store and folder of images,
 * with token check, limits, audit and log; the others have nothing to check, and subgraphs that answer from memory.
 * `ROUNDS` and `SECONDS` change how long it takes.
 */
import { isDeepStrictEqual } from 'node:util';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { authorizationServer } from '../test/authorization-server.ts';
import { buildProduct } from './built-server.ts';
import {
  answersOf,
  ASKED,
  postedBy,
  prepare,
  startOver,
  untilIndexed,
  type Posted,
} from './distinct-patients.ts';
import { alternate, median, type Figure } from './measure.ts';
import { startPeers, type Peers } from './peers/peers.ts';
import { processCost } from './peers/process-cost.ts';
import type { PatientAnswers } from './peers/stub-data.ts';
import { writeScript, wrk, type WrkResult } from './peers/wrk.ts';
import { startSplitGateway, type SplitGateway, type WholeGateway } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const SECONDS = Number(process.env['SECONDS'] ?? 5);
/** Seconds of load before the first round: processes that share two cores are compiled late. */
const WARM_UP = 12;
/** Bound of the ratio of this gateway in three processes to the stock gateway. */
const SPLIT_AT_LEAST = 2.5;
const SPLIT = 'this gateway in three processes';
const STOCK = 'stock @apollo/gateway';
/** Bounds of the ratio of this gateway to a peer. */
const AT_LEAST: Readonly<Record<string, number>> = { [STOCK]: 6, Grafbase: 1.2 };

/** A gateway under load. */
interface Contender {
  name: string;
  url: string;
  pid: number;
  results: WrkResult[];
  /** Milliseconds of processor for a request, one value a round. */
  processor: number[];
}

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'peers-'));
  const ehr = await authorizationServer();
  let ours: WholeGateway | undefined;
  let peers: Peers | undefined;
  let split: SplitGateway | undefined;
  try {
    await prepare(directory, ehr);
    buildProduct();
    ours = await startOver(root, directory, { name: 'ours' });
    const patients = await answersOf(ours);
    peers = await startPeers(directory, patients);
    split = await startSplitGateway(root, directory);
    const contenders = [
      contender('this gateway', `${ours.origin}/t/graphql`, ours.pid),
      ...peers.all.map(({ name, version, url, child }) =>
        contender(`${name} ${version}`, url, child.process.pid!),
      ),
      contender(SPLIT, `${split.origin}/t/graphql`, split.pid),
    ];
    const sent = postedBy(ASKED.federated);
    const script = await writeScript(join(directory, 'requests.lua'), sent);
    await untilIndexed(split.origin);
    await requireSame(contenders, sent, patients);
    for (const { url } of contenders) await wrk(url, script, { seconds: WARM_UP });
    await alternate(Object.fromEntries(contenders.map((one) => [one.name, () => load(one, script)])), ROUNDS);
    // An error under load is no answer at all.
    await requireSame(contenders, sent, patients);
    return figuresOf(contenders);
  } finally {
    await Promise.all([
      ...(peers?.children ?? []).map((child) => child.end()),
      ours?.stop(),
      split?.stop(),
      ehr.close(),
    ]);
    await rm(directory, { recursive: true, force: true });
  }
}

const contender = (name: string, url: string, pid: number): Contender => ({
  name,
  url,
  pid,
  results: [],
  processor: [],
});

/** Checks that all give each patient's data. */
async function requireSame(
  contenders: readonly Contender[],
  sent: readonly Posted[],
  patients: PatientAnswers,
): Promise<void> {
  for (const { name, url } of contenders) {
    for (const [at, { headers, body }] of sent.entries()) {
      const answer = await request(url, { method: 'POST', headers, body });
      const json = (await answer.body.json()) as { data?: { Patient: unknown } };
      if (!isDeepStrictEqual(json.data?.Patient, patients[`p${at + 1}`]))
        throw new Error(`${name} answers otherwise for p${at + 1}: ${JSON.stringify(json).slice(0, 300)}`);
    }
  }
}

async function load({ url, pid, results, processor }: Contender, script: string): Promise<number> {
  const before = processCost(pid).processor;
  const result = await wrk(url, script, { seconds: SECONDS });
  results.push(result);
  processor.push(((processCost(pid).processor - before) * 1000) / result.requests);
  return result.perSecond;
}

function figuresOf(contenders: readonly Contender[]): Figure[] {
  const [ours] = contenders;
  // The first round warms up.
  const rounds = ({ results }: Contender) => results.slice(1);
  return contenders.flatMap((one): Figure[] => {
    const what = one === ours ? `federated request, ${one.name}` : `… ${one.name}`;
    const of = (key: keyof WrkResult) => median(rounds(one).map((result) => result[key]));
    const figures: Figure[] = [
      { what, value: of('perSecond'), unit: 'requests/s' },
      { what: `${what}, p50`, value: of('p50'), unit: 'ms' },
      { what: `${what}, p99`, value: of('p99'), unit: 'ms' },
      { what: `${what}, processor for a request`, value: median(one.processor.slice(1)), unit: 'ms' },
      { what: `${what}, memory`, value: processCost(one.pid).memory, unit: 'MB' },
    ];
    if (one === ours) return figures;
    const ratio = median(rounds(ours!).map(({ perSecond }, at) => perSecond / rounds(one)[at]!.perSecond));
    if (one.name === SPLIT) return [...figures, splitFigure(one, contenders)];
    const [, atLeast] = Object.entries(AT_LEAST).find(([name]) => one.name.startsWith(name)) ?? [];
    const bound = atLeast === undefined ? {} : { atLeast };
    return [...figures, { what: `this gateway beside ${one.name}`, value: ratio, unit: '×', ...bound }];
  });
}

/** @param split this gateway in three processes; its processor and memory are those of the gateway alone */
function splitFigure(split: Contender, contenders: readonly Contender[]): Figure {
  const stock = contenders.find(({ name }) => name.startsWith(STOCK))!;
  const ratios = split.results
    .slice(1)
    .map(({ perSecond }, at) => perSecond / stock.results[at + 1]!.perSecond);
  return { what: `${SPLIT} beside ${STOCK}`, value: median(ratios), unit: '×', atLeast: SPLIT_AT_LEAST };
}
