/**
 * How long the federated request takes at 70 % of the capacity, which the same client measures just before: 200 patients with
 * a token each, 32 connections, the whole gateway as `npm start` runs it. Requests are due at fixed times, and latency counts
 * from these. `ROUNDS` and `SECONDS` change how long it takes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { authorizationServer } from '../test/authorization-server.ts';
import { buildProduct } from './built-server.ts';
import { answerOf, ASKED, PATIENTS, postedBy, prepare, startOver } from './distinct-patients.ts';
import { median, type Figure } from './measure.ts';
import { steadyLoad, type SteadyResult } from './steady-load.ts';
import type { WholeGateway } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = Number(process.env['ROUNDS'] ?? 7);
const SECONDS = Number(process.env['SECONDS'] ?? 10);

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'steady-load-'));
  const ehr = await authorizationServer();
  let server: WholeGateway | undefined;
  try {
    await prepare(directory, ehr);
    buildProduct();
    server = await startOver(root, directory, 'ours');
    const answers = await allAnswers(server);
    const job = {
      ...{ origin: server.origin, path: '/t/graphql', posted: postedBy(ASKED.federated) },
      ...{ connections: 32, part: 0.7, seconds: SECONDS },
    };
    // The first round warms up.
    await steadyLoad(directory, job);
    const rounds: SteadyResult[] = [];
    for (let round = 0; round < ROUNDS; round++) rounds.push(await steadyLoad(directory, job));
    if ((await allAnswers(server)).join() !== answers.join()) throw new Error('Load changed the answers.');
    return figuresOf(rounds);
  } finally {
    await Promise.all([server?.stop(), ehr.close()]);
    await rm(directory, { recursive: true, force: true });
  }
}

/** Returns the answer for each patient. @throws for errors */
async function allAnswers(server: WholeGateway): Promise<string[]> {
  const answers: string[] = [];
  for (let patient = 1; patient <= PATIENTS; patient++)
    answers.push(await answerOf(server, ASKED.federated, patient));
  return answers;
}

function figuresOf(rounds: readonly SteadyResult[]): Figure[] {
  const of = (value: (result: SteadyResult) => number) => median(rounds.map(value));
  const what = 'federated request at 70 %';
  return [
    {
      what: 'federated request, all connections busy',
      value: of(({ capacity }) => capacity),
      unit: 'requests/s',
    },
    { what, value: of(({ rate }) => rate), unit: 'requests/s' },
    // A queue that grows would make all requests alike, and the p99 seem small.
    {
      what: `${what}, answered beside due`,
      value: of((one) => one.answered / one.rate),
      unit: '×',
      atLeast: 0.97,
    },
    { what: `${what}, p50`, value: of(({ p50 }) => p50), unit: 'ms' },
    { what: `${what}, p99`, value: of(({ p99 }) => p99), unit: 'ms' },
    { what: `${what}, p99 beside p50`, value: of(({ p50, p99 }) => p99 / p50), unit: '×', atMost: 3 },
    { what: `${what}, p99 of the client’s own delay`, value: of(({ delay99 }) => delay99), unit: 'ms' },
  ];
}
