/**
 * How long the federated request takes at 70 % of the capacity, which the same client measures just before: 200 patients with
 * a token each, 32 connections, the whole gateway as `npm start` runs it. Requests are due at fixed times, and latency counts
 * from these. Beside it, the same of a server of Node that only answers: two processors that client and server share have a
 * tail of their own. `ROUNDS` and `SECONDS` change how long it takes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { authorizationServer } from '../test/authorization-server.ts';
import { startChild } from '../test/setup/child.ts';
import { freePort } from '../test/setup/free-port.ts';
import { buildProduct } from './built-server.ts';
import { answerOf, ASKED, PATIENTS, postedBy, prepare, startOver } from './distinct-patients.ts';
import { median, type Figure } from './measure.ts';
import { steadyLoad, type SteadyResult } from './steady-load.ts';
import { statusOf, type WholeGateway } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = Number(process.env['ROUNDS'] ?? 7);
const SECONDS = Number(process.env['SECONDS'] ?? 10);

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'steady-load-'));
  const ehr = await authorizationServer();
  let server: WholeGateway | undefined;
  let bare: Awaited<ReturnType<typeof startBare>> | undefined;
  try {
    await prepare(directory, ehr);
    buildProduct();
    server = await startOver(root, directory, { name: 'ours' });
    bare = await startBare();
    const answers = await allAnswers(server);
    const job = {
      origin: server.origin,
      path: '/t/graphql',
      posted: postedBy(ASKED.federated),
      connections: 32,
      part: 0.7,
      seconds: SECONDS,
    };
    const bareJob = { ...job, origin: bare.origin };
    const ours: SteadyResult[] = [];
    const bares: SteadyResult[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      ours.push(await steadyLoad(directory, job));
      bares.push(await steadyLoad(directory, bareJob));
    }
    if ((await allAnswers(server)).join() !== answers.join()) throw new Error('Load changed the answers.');
    // The first round warms up.
    return figuresOf(ours.slice(1), bares.slice(1));
  } finally {
    await Promise.all([server?.stop(), bare?.stop(), ehr.close()]);
    await rm(directory, { recursive: true, force: true });
  }
}

async function startBare() {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const program = fileURLToPath(new URL('./bare-server.mjs', import.meta.url));
  const isReady = async () => (await statusOf(origin)) === 200;
  const child = await startChild(process.execPath, [program, String(port)], isReady);
  return { origin, stop: () => child.end() };
}

/** Returns the answer for each patient. @throws for errors */
async function allAnswers(server: WholeGateway): Promise<string[]> {
  const answers: string[] = [];
  for (let patient = 1; patient <= PATIENTS; patient++)
    answers.push(await answerOf(server, ASKED.federated, patient));
  return answers;
}

function figuresOf(rounds: readonly SteadyResult[], bare: readonly SteadyResult[]): Figure[] {
  const of = (value: (result: SteadyResult) => number) => median(rounds.map(value));
  const tailOf = ({ p50, p99 }: SteadyResult): number => p99 / p50;
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
    { what: `${what}, p99 beside p50`, value: of(tailOf), unit: '×', atMost: 3 },
    { what: 'a server that only answers, p99 beside p50', value: median(bare.map(tailOf)), unit: '×' },
    { what: `${what}, p99 of the client’s own delay`, value: of(({ delay99 }) => delay99), unit: 'ms' },
  ];
}
