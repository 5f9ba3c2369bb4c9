/** Answers with 10,000 instances: how long another request waits meanwhile. `ROUNDS` changes how long it takes. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildProduct } from './built-server.ts';
import { ctStudyUid, writeCtFiles } from './data/ct-files.ts';
import { KeptConnection } from './kept-connection.ts';
import { duration, median, type Figure } from './measure.ts';
import { startWholeGateway, writeOpenTenant } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const INSTANCES = 10_000;
const SHAPE = { slices: 2500, seriesPerStudy: 4, size: 1 };
/** Milliseconds for which another request may wait, and between two of them. */
const WAIT_AT_MOST = 30;
const EVERY = 3;
/** Seconds in which an answer must be there, also when others have the processors. */
const PATIENCE = 120;
/** Bytes of each answer at least. */
const BYTES = 60 * INSTANCES;

const QUERY = '{ ImagingStudyList { id series { uid instance { uid number wadoUrl } } } }';
const STUDY = ctStudyUid(0);

const ASKED: Record<string, { path: string; body?: string }> = {
  'QIDO-RS': { path: `/dicomweb/studies/${STUDY}/instances` },
  ImagingStudy: { path: `/fhir/ImagingStudy/${STUDY}` },
  GraphQL: { path: '/graphql', body: JSON.stringify({ query: QUERY }) },
  metadata: { path: `/dicomweb/studies/${STUDY}/metadata` },
};

/** Measures the longest wait of a small request on another connection, while a gateway that has just started gives each answer. */
export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'cold-long-answers-'));
  await mkdir(join(directory, 'records'));
  buildProduct();
  await writeOpenTenant(directory, { patience: PATIENCE });
  await writeCtFiles(join(directory, 'images'), INSTANCES, SHAPE);
  const waits: Record<string, number[]> = {};
  for (let round = 0; round <= ROUNDS; round++) {
    const server = await startWholeGateway({ checkout: root, directory, name: 'long', status: 200 });
    try {
      await untilIndexed(server.origin);
      // In the first round the files are new to the index and to the memory of the system.
      for (const [what, asked] of Object.entries(ASKED)) {
        const wait = await longestWait(server.origin, asked);
        if (round > 0) (waits[what] ??= []).push(wait);
      }
    } finally {
      await server.stop();
    }
  }
  await rm(directory, { recursive: true, force: true });
  return Object.entries(waits).map(([what, all], index) => ({
    what: index === 0 ? `10,000 instances: longest wait of another request, ${what}` : `… ${what}`,
    value: median(all),
    unit: 'ms',
    atMost: WAIT_AT_MOST,
  }));
}

/** Returns the milliseconds that a small request waits at most while an answer is given. */
async function longestWait(origin: string, { path, body }: { path: string; body?: string }): Promise<number> {
  const [one, other] = [new KeptConnection(origin), new KeptConnection(origin)];
  try {
    let isAnswered = false;
    const headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const answering = one.send(`/t${path}`, headers, body).finally(() => (isAnswered = true));
    let longest = 0;
    while (!isAnswered) {
      longest = Math.max(longest, await duration(() => other.send('/health/live', {})));
      await sleep(EVERY);
    }
    const bytes = await answering;
    if (bytes < BYTES) throw new Error(`${path} answered ${bytes} bytes.`);
    return longest;
  } finally {
    for (const connection of [one, other]) connection.close();
  }
}

async function untilIndexed(origin: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const answer = await fetch(`${origin}/t/dicomweb/studies?StudyInstanceUID=${STUDY}`);
    if ((await answer.text()).includes(`"Value":[${INSTANCES}]`)) return;
    await sleep(200);
  }
  throw new Error('The folder was not indexed within a minute.');
}
