/**
 * A gateway over a folder of images, as `npm start` runs it, that was just started: lists of all patients after a restart,
 * beside the same ones again; and of a large folder what its memory is, what the first requests cost, and whether any is
 * refused after it was ready. Processor time is that of all threads. `PATIENTS` is the size of the large folder, with 30
 * files each: 5,000 take about ten minutes.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { buildProduct } from './built-server.ts';
import { mrnOf, writePatients } from './data/large-patient.ts';
import { QUERY, tenantOver } from './distinct-patients.ts';
import { median, type Figure } from './measure.ts';
import { processCost } from './peers/process-cost.ts';
import { startWholeGateway, type WholeGateway } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
/** Patients of the folder whose lists are measured: 20,010 files. */
const LISTED = 667;
const PATIENTS = Number(process.env['PATIENTS'] ?? 1000);
const FILES_OF_PATIENT = 30;
const RESTARTS = 3;
/** Lists of each kind after the first, and requests of each kind for a patient. */
const WARM = 10;
const FIRST = 20;

/** Bounds that a user notices. */
const TIMES_WARM = 4;
const MEGABYTES = 400;
const MILLISECONDS = 5;
/** Milliseconds that the clock of the processor shows at least: a list that costs less counts as these. */
const TICK = 10;

interface Asked {
  path: string;
  body?: string;
}

const posted = (query: string, variables?: object): Asked => ({
  path: '/graphql',
  body: JSON.stringify({ query, variables }),
});

/** Lists of all patients. */
const LISTS: Record<string, Asked> = {
  ImagingStudy: { path: '/fhir/ImagingStudy?_count=50' },
  'QIDO-RS': { path: '/dicomweb/studies?limit=50' },
  GraphQL: posted('{ ImagingStudyList(_count: 50) { id started series { uid numberOfInstances } } }'),
};

/** Lists of one patient, by number. */
const OF_PATIENT: readonly ((patient: number) => Asked)[] = [
  (patient) => ({ path: `/fhir/ImagingStudy?patient=p${patient}` }),
  (patient) => ({ path: `/dicomweb/studies?PatientID=${mrnOf(patient)}` }),
  (patient) => posted(QUERY, { id: `p${patient}` }),
];

export async function bench(): Promise<Figure[]> {
  buildProduct();
  return [...(await within(LISTED, lists)), ...(await within(PATIENTS, largeFolder))];
}

/** Runs work over a folder with these patients, and removes it. */
async function within(patients: number, work: (directory: string) => Promise<Figure[]>): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'folder-restart-'));
  try {
    const data = await writePatients(directory, { count: patients, resources: 1 });
    await mkdir(join(directory, 'tenants'));
    const tenant = tenantOver(data, { type: 'mock', disableAuthzChecks: true });
    await writeFile(join(directory, 'tenants/t.json'), JSON.stringify(tenant));
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Starts the gateway, or starts it again, and stops it after the work. */
async function started<T>(directory: string, work: (server: WholeGateway) => Promise<T>): Promise<T> {
  const server = await startWholeGateway({
    checkout: root,
    directory,
    name: 'data',
    status: 200,
    timeout: 3_600_000,
  });
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** @returns milliseconds of processor of one request @throws for an answer with errors */
async function costOf({ origin, pid }: WholeGateway, { path, body }: Asked): Promise<number> {
  const before = processCost(pid).processor;
  const headers = { 'content-type': 'application/json' };
  const method = body === undefined ? 'GET' : 'POST';
  const answer = await request(`${origin}/t${path}`, { method, body, headers });
  const text = await answer.body.text();
  if (answer.statusCode !== 200 || text.includes('"errors"'))
    throw new Error(`${path} answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  return (processCost(pid).processor - before) * 1000;
}

async function lists(directory: string): Promise<Figure[]> {
  await started(directory, async () => undefined);
  const kinds = Object.keys(LISTS);
  const first: Record<string, number[]> = Object.fromEntries(kinds.map((kind) => [kind, []]));
  const again: Record<string, number[]> = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (let round = 0; round < RESTARTS; round++)
    await started(directory, async (server) => {
      // What the start itself has left over is no part of the first list.
      await sleep(3000);
      for (const [kind, asked] of Object.entries(LISTS)) {
        first[kind]!.push(await costOf(server, asked));
        let sum = 0;
        for (let list = 0; list < WARM; list++) sum += await costOf(server, asked);
        again[kind]!.push(sum / WARM);
      }
    });
  return kinds.flatMap((kind) => {
    const [once, warm] = [median(first[kind]!), median(again[kind]!)];
    return [
      { what: `${kind} of all patients after a restart, 20,010 files`, value: once, unit: 'ms' },
      { what: '… again', value: warm, unit: 'ms' },
      { what: '… beside again', value: once / Math.max(warm, TICK), unit: '×', atMost: TIMES_WARM },
    ];
  });
}

async function largeFolder(directory: string): Promise<Figure[]> {
  const files = (PATIENTS * FILES_OF_PATIENT).toLocaleString('en');
  const figures: Figure[] = [];
  for (const when of ['after its first index', 'after a restart'])
    await started(directory, async (server) => {
      let [refused, cost, patient] = [0, 0, 0];
      for (let round = 0; round < FIRST; round++)
        for (const asked of OF_PATIENT)
          cost += await costOf(server, asked(++patient)).catch(() => (refused++, 0));
      figures.push(
        { what: `a folder of ${files} files, ready`, value: server.firstAnswer / 1000, unit: 's' },
        { what: `… first requests ${when}`, value: cost / patient, unit: 'ms', atMost: MILLISECONDS },
        { what: '… of which were refused', value: refused, unit: 'requests', atMost: 0 },
        { what: '… memory', value: (await server.memory()).now, unit: 'MB', atMost: MEGABYTES },
      );
      if (when === 'after its first index') return;
      for (const asked of Object.values(LISTS)) await costOf(server, asked);
      const { now } = await server.memory();
      figures.push({ what: '… memory after lists of all patients', value: now, unit: 'MB' });
    });
  return figures;
}
