/**
 * How long the federated request takes at 50 % and at 70 % of the capacity, which the same client measures just before: 200 patients with
 * a token each, 32 connections, the whole gateway as `npm start` runs it. Requests are due at fixed times, and latency counts
 * from these. Beside it, the same of a server of Node that only answers, at the same part of its own capacity: two processors
 * that client and server share have a tail of their own. `ROUNDS` and `SECONDS` change how long it takes.
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
      pid: server.pid,
      path: '/t/graphql',
      posted: postedBy(ASKED.federated),
      connections: 32,
      seconds: SECONDS,
    };
    const figures: Figure[] = [];
    for (const part of [0.5, 0.7]) {
      const ours: SteadyResult[] = [];
      const bares: SteadyResult[] = [];
      const memory: number[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        ours.push(await steadyLoad(directory, { ...job, part }));
        memory.push((await server.memory()).now);
        const { origin, pid } = bare;
        bares.push(await steadyLoad(directory, { ...job, part, origin, pid }));
      }
      // The first round warms up.
      figures.push(...figuresOf(part, ours.slice(1), bares.slice(1)), {
        what: '… memory after the last round beside that after the first',
        value: memory.at(-1)! / memory[1]!,
        unit: '×',
        ...(part === 0.7 && { atMost: 1.05 }),
      });
    }
    if ((await allAnswers(server)).join() !== answers.join()) throw new Error('Load changed the answers.');
    return figures;
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
  return { origin, pid: child.process.pid!, stop: () => child.end() };
}

/** Returns the answer for each patient. @throws for errors */
async function allAnswers(server: WholeGateway): Promise<string[]> {
  const answers: string[] = [];
  for (let patient = 1; patient <= PATIENTS; patient++)
    answers.push(await answerOf(server, ASKED.federated, patient));
  return answers;
}

function figuresOf(part: number, rounds: readonly SteadyResult[], bare: readonly SteadyResult[]): Figure[] {
  const of = (value: (result: SteadyResult) => number) => median(rounds.map(value));
  const tailOf = ({ p50, p99 }: SteadyResult): number => p99 / p50;
  const what = `federated request at ${part * 100} %`;
  const beside = rounds.map(({ p99 }, round) => p99 / bare[round]!.p99);
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
    { what: `${what}, p99.9`, value: of(({ p999 }) => p999), unit: 'ms' },
    {
      what: `${what}, p99 beside that of a server that only answers`,
      value: median(beside),
      unit: '×',
      ...(part === 0.5 && { atMost: 2 }),
    },
    { what: `${what}, p99 beside p50`, value: of(tailOf), unit: '×', ...(part === 0.7 && { atMost: 3 }) },
    // Alone, a request finds the processor's caches cold: half of the rate is more than half of the work.
    { what: `${what}, processor of a request`, value: of((one) => one.costAtRate), unit: 'ms' },
    {
      what: `${what}, processor of a request beside all connections busy`,
      value: of(({ costAtRate, costBusy }) => costAtRate / costBusy),
      unit: '×',
    },
    {
      what: `${what}, processors of the server that are busy`,
      value: of(({ rate, costAtRate }) => (rate * costAtRate) / 1000),
      unit: '',
    },
    { what: 'a server that only answers, p99 beside p50', value: median(bare.map(tailOf)), unit: '×' },
    { what: `${what}, p99 of the client’s own delay`, value: of(({ delay99 }) => delay99), unit: 'ms' },
  ];
}
