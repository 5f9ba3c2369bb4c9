/** Exports of all patients, and of a policy of half of them, without the HTTP server and without images. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Access } from '../../schema/access/access.ts';
import { parseScopes } from '../../schema/access/scopes.ts';
import { operationsApp } from '../../subgraphs/clinical/test/operations-app.ts';
import { openBuiltRecord } from './built-record.ts';
import type { Population } from './data/synthea-copies.ts';
import { median, type Figure } from './measure.ts';

const ROUNDS = 3;
/** Milliseconds between two looks whether an export has ended. */
const LOOK_AGAIN = 20;

/** @param directory with the folders `records`, and `new` for data */
export async function exportFigures(directory: string, { patients }: Population): Promise<Figure[]> {
  const { subgraph, tenant } = await openBuiltRecord(directory);
  const rate = async (reach: Access['patients']): Promise<{ perSecond: number; longestTurn: number }> => {
    const access: Access = {
      tenant: 't',
      client: 'bench',
      patients: reach,
      permissions: parseScopes('system/*.rs'),
      expires: Date.now() / 1000 + 3_600,
    };
    const { app: server } = operationsApp(subgraph, tenant, () => access);
    const turns = monitorEventLoopDelay({ resolution: 1 });
    const begun = performance.now();
    const headers = { prefer: 'respond-async' };
    const started = await server.inject({ url: '/t/fhir/Patient/$export', headers });
    turns.enable();
    const status = new URL(String(started.headers['content-location'])).pathname;
    let answer = await server.inject(status);
    while (answer.statusCode === 202) {
      await sleep(LOOK_AGAIN);
      answer = await server.inject(status);
    }
    const seconds = (performance.now() - begun) / 1000;
    turns.disable();
    const { output } = answer.json<{ output: { count: number }[] }>();
    await server.inject({ method: 'DELETE', url: status });
    await server.close();
    const resources = output.reduce((sum, { count }) => sum + count, 0);
    return { perSecond: resources / seconds, longestTurn: turns.max / 1e6 };
  };
  const half = patients.filter((_, at) => at % 2 === 0).map((id) => ({ id }));
  const figures: Figure[] = [];
  for (const [what, reach, atLeast] of [
    ['all patients', 'all', 40_000],
    ['a policy of half of the patients', half, 20_000],
  ] as const) {
    const runs = [];
    for (let round = 0; round < ROUNDS; round++) runs.push(await rate(reach));
    const perSecond = median(runs.map((run) => run.perSecond));
    const longestTurn = median(runs.map((run) => run.longestTurn));
    figures.push(
      { what: `export: ${what}`, value: perSecond, unit: '/s', atLeast },
      { what: '… longest turn of the event loop', value: longestTurn, unit: 'ms', atMost: 30 },
    );
  }
  await subgraph.close();
  return figures;
}
