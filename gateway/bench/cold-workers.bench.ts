/**
 * Two processes on one port (WORKERS) beside one: the prepared request for patient and studies of 200 patients, 32 connections
 * of wrk. The client has its part of the processors. `ROUNDS` and `SECONDS` change how long it takes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { authorizationServer } from '../test/authorization-server.ts';
import { buildProduct } from './built-server.ts';
import { ASKED, postedBy, prepare, startOver } from './distinct-patients.ts';
import { alternate, median, type Figure } from './measure.ts';
import { processCost } from './peers/process-cost.ts';
import { writeScript, wrk } from './peers/wrk.ts';
import type { WholeGateway } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const SECONDS = Number(process.env['SECONDS'] ?? 5);
/** Seconds of load before the first round: V8 compiles late what the processors share. */
const WARM_UP = 15;
const PROCESSOR_AT_MOST = 1.1;
/** How much faster two processes are, where two processors are left for them. */
const FASTER = availableParallelism() >= 4 ? 1.7 : 1;

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'cold-workers-'));
  const ehr = await authorizationServer();
  const ending: (() => unknown)[] = [() => ehr.close()];
  try {
    await prepare(directory, ehr);
    buildProduct();
    const started = async (name: string, environment: Record<string, string>) => {
      const server = await startOver(root, directory, { name, environment });
      ending.push(() => server.stop());
      return server;
    };
    const servers = { one: await started('one', {}), two: await started('two', { WORKERS: '2' }) };
    const script = await writeScript(join(directory, 'requests.lua'), postedBy(ASKED.federated));
    const load = ({ origin }: WholeGateway, seconds: number) =>
      wrk(`${origin}/t/graphql`, script, { seconds });
    for (const server of Object.values(servers)) await load(server, WARM_UP);
    const processor = { one: [] as number[], two: [] as number[] };
    const turn = (name: 'one' | 'two') => async () => {
      const used = () => processCost(servers[name].pid).processor * 1000;
      const before = used();
      const { requests, perSecond } = await load(servers[name], SECONDS);
      processor[name].push((used() - before) / requests);
      return perSecond;
    };
    const { one, two } = await alternate({ one: turn('one'), two: turn('two') }, ROUNDS);
    const [alone, beside] = [median(processor.one), median(processor.two)];
    return [
      { what: 'federated request, one process', value: one.median, unit: 'requests/s' },
      { what: '… two processes (WORKERS)', value: two.median, unit: 'requests/s' },
      { what: '… beside one', value: two.ratio, unit: '×', atLeast: FASTER },
      { what: '… processor for a request, one process', value: alone, unit: 'ms' },
      { what: '… two processes', value: beside, unit: 'ms' },
      { what: '… beside one', value: beside / alone, unit: '×', atMost: PROCESSOR_AT_MOST },
    ];
  } finally {
    await Promise.all(ending.map((end) => end()));
    await rm(directory, { recursive: true, force: true });
  }
}
