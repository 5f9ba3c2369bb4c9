/**
 * A stream of all Observations of a record as CSV, through the whole gateway as `npm start` runs it, beside a plain
 * SELECT that writes the same rows. `STREAMED` is the number of patients (default 1,100, with 130,000 Observations).
 */
import { execFileSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { parseFhirJson, primitiveText } from '../../schema/fhir/decimal.ts';
import { csvRecord } from '../../schema/http/csv.ts';
import { sharedDataPresent } from '../test/setup/shared-data.ts';
import { writePopulation } from './data/synthea-copies.ts';
import { alternate, type Figure } from './measure.ts';
import { startWholeGateway, statusOf, writeOpenTenant, type WholeGateway } from './whole-gateway.ts';
import { Database } from '../../schema/process/sqlite.ts';

const root = join(import.meta.dirname, '../..');
const PATIENTS = Number(process.env['STREAMED'] ?? 1_100);
const ROUNDS = 3;
const QUERY = `{ ObservationConnection { edges { resource {
  id status effectiveDateTime code { text } subject { reference } valueQuantity { value unit } } } } }`;
const LEAVES = [
  ['id'],
  ['status'],
  ['effectiveDateTime'],
  ['code', 'text'],
  ['subject', 'reference'],
  ['valueQuantity', 'value'],
  ['valueQuantity', 'unit'],
];

export async function bench(): Promise<Figure[]> {
  if (!sharedDataPresent) return [];
  const directory = await mkdtemp(join(tmpdir(), 'stream-bench-'));
  let server: WholeGateway | undefined;
  try {
    execFileSync(process.execPath, [join(root, 'gateway/build.mjs')], { stdio: 'inherit' });
    writePopulation(join(directory, 'records'), PATIENTS);
    await writeOpenTenant(directory);
    server = await startWholeGateway({ checkout: root, directory, name: 'data' });
    while ((await statusOf(`${server.origin}/t/fhir/Patient?_count=1`)) !== 200) await sleep(200);
    return await figures(server, directory);
  } finally {
    await server?.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function figures(server: WholeGateway, directory: string): Promise<Figure[]> {
  const database = await storeIn(join(directory, 'data/clinical'));
  const file = (name: string) => join(directory, `${name}.csv`);
  const rows = rowsIn(database);
  const perSecond = (work: () => Promise<void>) => async () => {
    const begun = performance.now();
    await work();
    return (rows * 1000) / (performance.now() - begun);
  };
  // A first stream loads code.
  await streamed(server, file('stream'));
  const { now: before } = await server.memory();
  let most = 0;
  const look = setInterval(() => void server.memory().then(({ now }) => (most = Math.max(most, now))), 50);
  const { select, stream } = await alternate(
    {
      select: perSecond(() => selected(database, file('select'))),
      stream: perSecond(() => streamed(server, file('stream'))),
    },
    ROUNDS,
  );
  clearInterval(look);
  const [ours, plain] = await Promise.all(
    ['stream', 'select'].map(async (name) => (await stat(file(name))).size),
  );
  return [
    { what: 'stream: rows', value: rows, unit: '', atLeast: 100_000 },
    { what: 'stream: CSV of Observations', value: stream.median, unit: '/s', atLeast: 8_000 },
    { what: '… a plain SELECT of the same rows', value: select.median, unit: '/s' },
    { what: '… beside the SELECT', value: stream.ratio, unit: '×', atLeast: 0.5 },
    // The SELECT writes no `_next`.
    {
      what: '… bytes beside those of the SELECT',
      value: ours! / plain!,
      unit: '×',
      atLeast: 1,
      atMost: 1.01,
    },
    { what: 'stream: memory more than before', value: most - before, unit: 'MB', atMost: 50 },
  ];
}

async function storeIn(folder: string): Promise<string> {
  const [name] = (await readdir(folder)).filter((one) => /\.(db|sqlite)$/.test(one));
  return join(folder, name!);
}

function rowsIn(database: string): number {
  const db = new Database(database, { readonly: true });
  const rows = db
    .prepare<[], number>("SELECT count(*) FROM resource WHERE type = 'Observation'")
    .pluck()
    .get();
  db.close();
  return rows!;
}

async function streamed({ origin }: WholeGateway, file: string): Promise<void> {
  const { statusCode, body } = await request(`${origin}/t/graphql`, {
    method: 'POST',
    headers: { accept: 'text/csv', 'content-type': 'application/json' },
    body: JSON.stringify({ query: QUERY }),
  });
  if (statusCode !== 200) throw new Error(`the stream answered ${statusCode}: ${await body.text()}`);
  await pipeline(body, createWriteStream(file));
}

async function selected(database: string, file: string): Promise<void> {
  const db = new Database(database, { readonly: true });
  const texts = db.prepare<[], string>("SELECT json FROM resource WHERE type = 'Observation' ORDER BY rid");
  const lines = function* () {
    yield csvRecord(LEAVES.map((path) => path.join('.')));
    for (const text of texts.pluck().iterate()) {
      const resource = parseFhirJson(text);
      yield csvRecord(LEAVES.map((path) => cellAt(resource, path)));
    }
  };
  await pipeline(Readable.from(lines()), createWriteStream(file));
  db.close();
}

function cellAt(resource: unknown, path: readonly string[]): string {
  let value = resource;
  for (const name of path) value = (value as Record<string, unknown> | undefined)?.[name];
  return value === undefined ? '' : primitiveText(value);
}
