/**
 * 1,000 Observations by GraphQL beside Medplum's FHIR router with its repository in memory: each server in a process of
 * its own, the same query and the same answer.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { startChild } from '../test/setup/child.ts';
import { freePort } from '../test/setup/free-port.ts';
import { sharedDataPresent } from '../test/setup/shared-data.ts';
import { writePopulation } from './data/synthea-copies.ts';
import { alternate, duration, type Figure } from './measure.ts';
import { startWholeGateway, statusOf, writeOpenTenant } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const OBSERVATIONS = 1_000;
const ROUNDS = 25;

const QUERY = `{ ObservationList(_count: ${OBSERVATIONS}) {
  id status effectiveDateTime subject { reference } category { coding { system code } }
  code { text coding { system code display } } valueQuantity { value unit system code } } }`;

interface Listed {
  data: { ObservationList: { id: string }[] };
}

export async function bench(): Promise<Figure[]> {
  if (!sharedDataPresent) return [];
  const directory = await mkdtemp(join(tmpdir(), 'medplum-bench-'));
  const ends: (() => Promise<void>)[] = [];
  try {
    execFileSync(process.execPath, [join(root, 'gateway/build.mjs')], { stdio: 'inherit' });
    const records = join(directory, 'records');
    await writeObservations(directory, records);
    const gateway = await startWholeGateway({ checkout: root, directory, name: 'data', status: 200 });
    ends.push(gateway.stop);
    const medplum = await startMedplum(join(records, 'observations.ndjson'));
    ends.push(medplum.stop);
    const urls = { medplum: `${medplum.base}/$graphql`, gateway: `${gateway.origin}/t/graphql` };
    const [theirs, ours] = await Promise.all([urls.medplum, urls.gateway].map(observationsOf));
    assert.equal(ours!.length, OBSERVATIONS);
    assert.deepEqual(ours, theirs);
    const result = await alternate(
      {
        medplum: () => duration(() => answerOf(urls.medplum)),
        gateway: () => duration(() => answerOf(urls.gateway)),
      },
      ROUNDS,
    );
    return [
      { what: '1,000 Observations by GraphQL', value: result.gateway.median, unit: 'ms' },
      { what: '… Medplum', value: result.medplum.median, unit: 'ms' },
      { what: '… beside Medplum', value: 1 / result.gateway.ratio, unit: '×', atLeast: 1.5 },
    ];
  } finally {
    await Promise.all(ends.map((end) => end()));
    await rm(directory, { recursive: true, force: true });
  }
}

async function writeObservations(directory: string, records: string): Promise<void> {
  const population = join(directory, 'population');
  writePopulation(population, 32);
  await mkdir(records);
  await writeOpenTenant(directory);
  const all = await readFile(join(population, 'Observation.ndjson'), 'utf8');
  const lines = all.split('\n').slice(0, OBSERVATIONS);
  await writeFile(join(records, 'observations.ndjson'), lines.join('\n'));
}

async function startMedplum(file: string): Promise<{ base: string; stop: () => Promise<void> }> {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}/fhir/R4`;
  const ready = async () => (await statusOf(`${base}/Observation?_count=1`)) === 200;
  const program = ['--import', 'tsx', join(import.meta.dirname, 'medplum.child.ts'), String(port), file];
  const child = await startChild(process.execPath, program, ready, 60_000);
  return { base, stop: () => child.end() };
}

async function answerOf(url: string): Promise<Listed> {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  const body = JSON.stringify({ query: QUERY });
  const answer = await request(url, { method: 'POST', headers, body });
  return (await answer.body.json()) as Listed;
}

/** Returns the listed Observations by id: without a sort, each server has an order of its own. */
async function observationsOf(url: string): Promise<{ id: string }[]> {
  const { data } = await answerOf(url);
  return data.ObservationList.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
