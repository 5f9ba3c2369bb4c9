/**
 * Questions over record and images of 20,000 patients with 48 resources, a CT and an MR each, through the whole gateway as
 * `npm start` runs it: by SQL, and by searches across the halves. `PATIENTS` changes how many; 20,000 take about ten minutes.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { processorTimeOf, workedBy } from '../test/setup/processor-time.ts';
import { smallObjects } from '../test/setup/small-objects.ts';
import { buildProduct } from './built-server.ts';
import { atFixedRate, quantile } from './fixed-rate.ts';
import { alternate, duration, median, type Figure } from './measure.ts';
import { memoryOfChildren, startWholeGateway, type WholeGateway } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const PATIENTS = Number(process.env['PATIENTS'] ?? 20_000);
const MODALITIES = ['CT', 'MR'];
/** Diagnoses, each of one patient in this number. */
const CODES = 20;
/** Resources of a patient besides patient and diagnosis. */
const MORE = { Observation: 34, Encounter: 6, Procedure: 6 } as const;
/** Patients of the Group `some`. */
const OF_GROUP = Math.min(1_000, PATIENTS);
/** Questions of a kind; the first ones warm up. */
const ROUNDS = 10;
const WARM = 3;
/** Frames that are asked for beside questions, and how often with and without these. */
const FRAMES = { rate: 50, seconds: 8, connections: 16 };
const PAIRS = 5;
/** Milliseconds after which nothing that was begun for a question works any more. */
const SETTLED = 200;
/** Milliseconds for which a gateway leaves its start alone before it makes tables; a little less. */
const BEFORE_TABLES = 18_000;
/** Milliseconds for loading the record, and for making the tables. */
const PATIENCE = 900_000;

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'analysts-'));
  const start = () =>
    startWholeGateway({ checkout: root, directory, name: 'data', status: 200, timeout: PATIENCE });
  let server: WholeGateway | undefined;
  try {
    await writePopulation(directory);
    buildProduct();
    server = await start();
    await tablesMade(directory);
    await server.stop();
    // They are made anew, and nothing else is.
    await rm(join(directory, 'data/analysis'), { recursive: true });
    server = await start();
    const figures = await costOfTables(server, directory);
    figures.push(...(await costOfReaches(server)));
    figures.push(...(await statements(server)));
    figures.push(await framesBesideQuestions(server));
    for (const search of SEARCHES) figures.push(await costOf(server, search));
    return figures;
  } finally {
    await server?.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Waits until the log says that the tables are made: questions meanwhile would be work too. */
async function tablesMade(directory: string): Promise<void> {
  for (const end = performance.now() + PATIENCE; performance.now() < end; await sleep(500)) {
    const log = await readFile(join(directory, 'data.log'), 'utf8');
    if (log.includes('analysis: the tables are made')) return;
  }
  throw new Error('The tables were not made in time.');
}

async function costOfTables(server: WholeGateway, directory: string): Promise<Figure[]> {
  // The folder is looked through first.
  await sleep(BEFORE_TABLES);
  const began = workedBy(server.pid);
  await tablesMade(directory);
  const seconds = (workedBy(server.pid) - began) / 1000;
  const { peak } = await server.memory();
  const resources = PATIENTS * (2 + MORE.Observation + MORE.Encounter + MORE.Procedure);
  return [
    { what: 'resources in the tables', value: resources, unit: '' },
    { what: 'tables are made, processor', value: seconds, unit: 's', atMost: 25 },
    { what: '… most memory of the gateway meanwhile', value: peak, unit: 'MB', atMost: 600 },
  ];
}

/** Asks for the rows of a Group, and for all, before anybody else: the files with the rows of these callers are made. */
async function costOfReaches({ origin, pid }: WholeGateway): Promise<Figure[]> {
  const count = 'SELECT count(*) FROM imaging_study';
  const first = async (what: string, parameters: string, atMost: number): Promise<Figure[]> => {
    let wall = 0;
    const cost = await processorTimeOf(pid, async () => {
      wall = await duration(() => rowsOf(origin, count, parameters));
      await sleep(SETTLED);
    });
    return [
      { what: `rows of ${what}, first time, processor`, value: cost / 1000, unit: 's', atMost },
      { what: '… wall clock', value: wall / 1000, unit: 's' },
    ];
  };
  const figures = await first('all patients', '', 5);
  return [...figures, ...(await first(`${OF_GROUP} patients`, '?group=Group/some', 1))];
}

/** Questions, each with the milliseconds that its answer may take. */
const STATEMENTS: readonly { what: string; sql: string; atMost: number }[] = [
  {
    what: 'modality × year × diagnosis',
    atMost: 300,
    sql: `SELECT s.modality, year(s.started) AS year, c.code, count(DISTINCT s.id) AS studies
      FROM imaging_study s JOIN condition c USING (patient_id) GROUP BY ALL`,
  },
  {
    what: 'CT of women with a diagnosis, with their last HbA1c',
    atMost: 300,
    sql: `WITH a1c AS (SELECT patient_id, arg_max(value, effective) AS last FROM observation WHERE code = '4548-4' GROUP BY 1)
      SELECT s.id, s.started, a1c.last FROM imaging_study s JOIN patient p USING (patient_id) JOIN a1c USING (patient_id)
      WHERE s.modality = 'CT' AND p.gender = 'female' AND patient_id IN (SELECT patient_id FROM condition WHERE code = '3')`,
  },
];

async function statements({ origin, pid }: WholeGateway): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { what, sql, atMost } of STATEMENTS) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const took = await duration(() => rowsOf(origin, sql));
      if (round >= WARM) times.push(took);
    }
    figures.push({ what, value: median(times), unit: 'ms', atMost });
  }
  let rows = 0;
  const all = 'SELECT id, patient_id, code, effective, value, unit FROM observation';
  const seconds = (await duration(async () => (rows = await rowsOf(origin, all)))) / 1000;
  const memory = await memoryOfChildren(pid);
  figures.push(
    { what: 'rows as NDJSON', value: rows, unit: '' },
    { what: '… whole answer', value: seconds, unit: 's', atMost: 6 },
    { what: '… most memory of the process that answers', value: memory, unit: 'MB', atMost: 300 },
  );
  return figures;
}

/** Compares how long frames take while two clients ask without a pause, and while nobody does. */
async function framesBesideQuestions({ origin }: WholeGateway): Promise<Figure> {
  const frames = async (): Promise<number> => {
    const { latencies } = await atFixedRate(FRAMES, async (_, number) => {
      const study = `1.2.3.${number % PATIENTS}.0`;
      const path = `studies/${study}/series/${study}.1/instances/${study}.1.1/frames/1`;
      const { statusCode, body } = await request(`${origin}/t/dicomweb/${path}`);
      await body.dump();
      if (statusCode !== 200) throw new Error(`${path}: ${statusCode}`);
    });
    return quantile(latencies, 0.95);
  };
  const beside = async (): Promise<number> => {
    let isOver = false;
    const client = async (): Promise<void> => {
      for (let number = 0; !isOver; number++)
        await rowsOf(origin, STATEMENTS[number % STATEMENTS.length]!.sql);
    };
    const clients = [client(), client()];
    try {
      return await frames();
    } finally {
      isOver = true;
      await Promise.all(clients);
    }
  };
  const { beside: found } = await alternate({ alone: frames, beside }, PAIRS);
  return { what: 'frames beside two questions, p95', value: found.ratio, unit: '×', atMost: 1.2 };
}

const asked = (origin: string, sql: string, parameters = '') =>
  request(`${origin}/t/fhir/$sql-run${parameters}`, {
    method: 'POST',
    headers: { 'content-type': 'application/sql' },
    body: sql,
  });

/** Sends a statement. @returns the number of rows */
async function rowsOf(origin: string, sql: string, parameters?: string): Promise<number> {
  const answer = await asked(origin, sql, parameters);
  if (answer.statusCode !== 200) throw new Error(`${sql}: ${(await answer.body.text()).slice(0, 300)}`);
  let rows = 0;
  for await (const part of answer.body as AsyncIterable<Buffer>)
    for (const byte of part) if (byte === 10) rows++;
  return rows;
}

interface Search {
  what: string;
  /** Matches. */
  count: number;
  /** Milliseconds of the processor that it may cost. */
  atMost?: number;
  /** Returns the query about a diagnosis. */
  query(code: number): string;
}

const connection = (type: string, args: string, more = '') =>
  `{ ${type}Connection(${args}) { count ${more} edges { resource { id } } } }`;

const women = PATIENTS / CODES / 2;
const SEARCHES: readonly Search[] = [
  {
    what: 'search: women with a diagnosis, their CT, processor',
    count: women,
    atMost: 100,
    query: (code) =>
      connection(
        'ImagingStudy',
        `modality: ["CT"], _chain: ["subject:Patient.gender=female", "subject:Patient._has:Condition:patient:code=${code}"]`,
      ),
  },
  {
    what: '… the set of these women alone',
    count: women,
    query: (code) =>
      connection('Patient', `gender: ["female"], _has: ["Condition:patient:code=${code}"], _count: 1`),
  },
  {
    what: '… patients with a diagnosis and an MR',
    count: women * 2,
    query: (code) =>
      connection('Patient', `_has: ["Condition:patient:code=${code}", "ImagingStudy:patient:modality=MR"]`),
  },
  {
    what: '… modalities of all studies',
    count: PATIENTS * MODALITIES.length,
    query: () => connection('ImagingStudy', '_count: 1', 'facets(by: modality) { value count }'),
  },
];

/** Asks a question about one diagnosis after the other. @throws for an answer that has not found `count` */
async function costOf({ origin, pid }: WholeGateway, search: Search): Promise<Figure> {
  const { what, count, atMost, query } = search;
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await sleep(SETTLED);
    const cost = await processorTimeOf(pid, async () => {
      const answer = await request(`${origin}/t/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: query(round) }),
      });
      const text = await answer.body.text();
      if (!text.includes(`"count":${count},`)) throw new Error(`${what}: ${text.slice(0, 300)}`);
      await sleep(SETTLED);
    });
    if (round >= WARM) costs.push(cost);
  }
  return { what, value: median(costs), unit: 'ms', ...(atMost !== undefined && { atMost }) };
}

/** Writes patients, of whom every second is a woman, their records and their studies, and the tenant `t`. */
async function writePopulation(directory: string): Promise<void> {
  const images = join(directory, 'images');
  const record = join(directory, 'record.ndjson');
  const people = Array.from({ length: PATIENTS }, (_, patient) => patient);
  const member = people
    .slice(0, OF_GROUP)
    .map((patient) => ({ entity: { reference: `Patient/p${patient}` } }));
  const group = { resourceType: 'Group', id: 'some', type: 'person', actual: true, member };
  const lines = [...people.map(linesOf), `${JSON.stringify(group)}\n`];
  await pipeline(Readable.from(lines), createWriteStream(record));
  for (const patient of people) {
    const folder = join(images, String(patient % 100), `p${patient}`);
    await mkdir(folder, { recursive: true });
    for (const [number, modality] of MODALITIES.entries()) {
      const study = { studyUid: `1.2.3.${patient}.${number}`, patientId: `MRN-${patient}`, modality };
      await writeFile(join(folder, `${modality}.dcm`), smallObjects(study)[0]!);
    }
  }
  await mkdir(join(directory, 'tenants'));
  const tenant = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'store', path: record },
    images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
    analysis: { enabled: true },
  };
  await writeFile(join(directory, 'tenants/t.json'), JSON.stringify(tenant));
}

/** Returns the record of a patient as NDJSON. */
function linesOf(patient: number): string {
  const id = `p${patient}`;
  const subject = { reference: `Patient/${id}` };
  const identifier = [{ type: { coding: [{ code: 'MR' }] }, value: `MRN-${patient}` }];
  const gender = patient % 2 ? 'male' : 'female';
  const coded = (code: string) => ({
    coding: [{ system: 'http://snomed.info/sct', code, display: 'Something' }],
  });
  const hba1c = { coding: [{ system: 'http://loinc.org', code: '4548-4', display: 'Hemoglobin A1c' }] };
  const dayOf = (number: number) => `20${10 + (number % 15)}-0${1 + (number % 9)}-09T05:49:32Z`;
  const more = {
    Observation: (n: number) => ({
      status: 'final',
      code: hba1c,
      effectiveDateTime: dayOf(n),
      valueQuantity: { value: 4 + (n % 97) / 10, unit: '%' },
    }),
    Encounter: (n: number) => ({ status: 'finished', class: { code: 'AMB' }, period: { start: dayOf(n) } }),
    Procedure: (n: number) => ({
      status: 'completed',
      code: coded('428191000124101'),
      performedDateTime: dayOf(n),
    }),
  };
  const resources: object[] = [
    { resourceType: 'Patient', id, identifier, gender, birthDate: '1970-01-01' },
    {
      resourceType: 'Condition',
      id: `c${patient}`,
      subject,
      code: coded(String(Math.floor(patient / 2) % CODES)),
    },
  ];
  for (const type of Object.keys(MORE) as (keyof typeof MORE)[])
    for (let number = 0; number < MORE[type]; number++)
      resources.push({
        resourceType: type,
        id: `${type}-${patient}-${number}`,
        subject,
        ...more[type](number),
      });
  return resources.map((one) => `${JSON.stringify(one)}\n`).join('');
}
