/**
 * An answer of about 70 KB, the studies of a patient with all instances, for 200 patients with a token each: through this
 * gateway as `npm start` runs it, and through a stock one with subgraphs that answer from memory. `ROUNDS` and `SECONDS`
 * change how long it takes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseScopes } from '../../schema/access/scopes.ts';
import type { Access } from '../../schema/access/access.ts';
import { authorizationServer } from '../test/authorization-server.ts';
import { buildProduct } from './built-server.ts';
import { BORN, mrnOf } from './data/large-patient.ts';
import {
  PATIENTS,
  postedBy,
  prepare,
  startOver,
  tenantOver,
  type Ask,
  type Posted,
} from './distinct-patients.ts';
import { alternate, median, type Figure } from './measure.ts';
import { startRecordedStock, type RecordedStock } from './peers/recorded-subgraphs.ts';
import { answeredBy, requireSameAnswers, untilAnswered } from './peers/same-answers.ts';
import { writeScript, wrk } from './peers/wrk.ts';
import type { WholeGateway } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const SECONDS = Number(process.env['SECONDS'] ?? 5);
/** Of each of three series of ten studies. */
const INSTANCES = 5;

const QUERY = `query ($id: ID!) { Patient(id: $id) { id birthDate name { family given }
  ImagingStudyList { id started description series { uid modality { code } description numberOfInstances wadoUrl thumbnailUrl
  instance { uid wadoUrl thumbnailUrl renderedUrl } } } } }`;

const ask: Ask = (patient) => ({
  path: '/graphql',
  body: JSON.stringify({ query: QUERY, variables: { id: `p${patient}` } }),
});

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'large-answer-'));
  const ehr = await authorizationServer();
  let ours: WholeGateway | undefined;
  let stock: RecordedStock | undefined;
  try {
    const data = await prepare(directory, ehr, INSTANCES);
    buildProduct();
    ours = await startOver(root, directory, { name: 'ours' });
    stock = await startRecordedStock({
      directory,
      baseUrl: ours.origin,
      access: accessToAll(),
      tenant: tenantOver(data, { type: 'mock', disableAuthzChecks: true }),
    });
    const posted = postedBy(ask);
    const urls = [`${ours.origin}/t/graphql`, stock.url] as const;
    for (const url of urls) await untilAnswered(url, posted.at(-1)!, `1.2.3.${PATIENTS}.10.3.${INSTANCES}"`);
    stock.forget();
    const size = await sizeOf(urls, posted);
    await stock.replay();
    return [
      { what: 'large answer', value: size / 1000, unit: 'KB' },
      ...(await speeds(urls, posted, directory)),
    ];
  } finally {
    await Promise.all([ours?.stop(), stock?.close(), ehr.close()]);
    await rm(directory, { recursive: true, force: true });
  }
}

/** Returns the rights of a user who sees all patients: the recorded answers are for each of them. */
const accessToAll = (): Access => ({
  tenant: 't',
  permissions: parseScopes('user/*.rs'),
  expires: Date.now() / 1000 + 24 * 3600,
  patients: Array.from({ length: PATIENTS }, (_, at) => {
    const id = `p${at + 1}`;
    const identifier = [{ value: mrnOf(at + 1), type: { coding: [{ code: 'MR' }] } }];
    return { id, identity: { id, identifier, birthDate: BORN } };
  }),
});

/** Checks that the answers are the same. @returns bytes of one of them, the median */
async function sizeOf(urls: readonly [string, string], posted: readonly Posted[]): Promise<number> {
  await requireSameAnswers(urls, posted);
  const sizes: number[] = [];
  for (const one of posted) sizes.push((await answeredBy(urls[0], one)).text.length);
  return median(sizes);
}

async function speeds(
  urls: readonly [string, string],
  posted: readonly Posted[],
  directory: string,
): Promise<Figure[]> {
  const [ours, stock] = urls;
  const script = await writeScript(join(directory, 'requests.lua'), posted);
  const perSecond = async (url: string) => (await wrk(url, script, { seconds: SECONDS })).perSecond;
  await requireSameAnswers(urls, posted);
  const result = await alternate({ stock: () => perSecond(stock), ours: () => perSecond(ours) }, ROUNDS);
  // An error under load is no answer at all.
  await requireSameAnswers(urls, posted);
  return [
    { what: '… this gateway', value: result.ours.median, unit: 'requests/s' },
    { what: '… stock @apollo/gateway', value: result.stock.median, unit: 'requests/s' },
    { what: '… beside stock @apollo/gateway', value: result.ours.ratio, unit: '×', atLeast: 6 },
  ];
}
