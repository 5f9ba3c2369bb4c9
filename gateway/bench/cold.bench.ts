/**
 * Requests for which nothing is warm, beside prepared ones: patient and studies of 200 patients, with a new text, an id in a new
 * text, or a new token in each request, 32 connections of wrk. This gateway runs as `npm start` runs it; the peer has nothing to check, and
 * subgraphs that answer from memory. Processor time is that of all processes but the client's, which is also the EHR. `ROUNDS`
 * and `SECONDS` change how long it takes.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { authorizationServer, type AuthorizationServer } from '../test/authorization-server.ts';
import type { DemoData } from '../test/test-gateway.ts';
import { buildProduct } from './built-server.ts';
import {
  answersOf,
  ASKED,
  giveToken,
  headersOf,
  PATIENTS,
  postedBy,
  prepare,
  QUERY,
  startOver,
  tenantOver,
  type Ask,
} from './distinct-patients.ts';
import { ctStudyUid, writeCtFiles } from './data/ct-files.ts';
import { mrnOf } from './data/large-patient.ts';
import { download } from './download.ts';
import { alternate, median, type Figure } from './measure.ts';
import { startPeers } from './peers/peers.ts';
import { processCost } from './peers/process-cost.ts';
import { NEW_NUMBER, writeScript, wrk } from './peers/wrk.ts';
import { throughput } from './throughput.ts';
import { startWholeGateway, writeOpenTenant } from './whole-gateway.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const SECONDS = Number(process.env['SECONDS'] ?? 5);
/** Seconds of load before the first round: V8 compiles late what two processors share. */
const WARM_UP = 10;
/** Requests of one round with new tokens, which the EHR has to know. */
const REQUESTS = 4000;
const CONNECTIONS = 8;

/** Objects of 512 KiB in a study that is retrieved whole. */
const OBJECTS = 200;

const OURS = 'this gateway';
/** Bounds of the ratio to the peer, and of the processor time of a request. */
const TEXT_AT_LEAST = 1;
const TEXT_AT_MOST = 0.45;
const TOKEN_AT_MOST = 4;
const ZIP_AT_MOST = 1.5;
/** Milliseconds in which the remote EHR answers, and how often a request may wait as long. */
const EHR_DELAY = 50;
const WARM_AT_MOST = 1.4;
const COLD_AT_MOST = 3.7;

/** Bodies of requests for a patient. */
const TEXTS: Record<string, (id: string) => object> = {
  prepared: (id) => ({ query: QUERY, variables: { id } }),
  'a new text each': (id) => ({
    query: QUERY.replace('query', `query Q${NEW_NUMBER}`).replace('birthDate', `b${NEW_NUMBER}: birthDate`),
    variables: { id },
  }),
  'an id in a new text': (id) => ({
    query: QUERY.replace('($id: ID!)', `Q${NEW_NUMBER}`).replace('$id', JSON.stringify(id)),
  }),
};

/** Processes under load. */
interface Contender {
  name: string;
  url: string;
  pids: readonly number[];
}

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'cold-'));
  const ehr = await authorizationServer();
  const ending: (() => unknown)[] = [() => ehr.close()];
  try {
    const data = await prepare(directory, ehr);
    await writeFile(join(directory, 'tenants/remote.json'), JSON.stringify(remoteTenant(data, ehr)));
    buildProduct();
    const ours = await startOver(root, directory, { name: 'ours' });
    ending.push(() => ours.stop());
    const peers = await startPeers(directory, await answersOf(ours));
    ending.push(...peers.children.map((child) => () => child.end()));
    const peer = peers.all.find(({ name }) => name === 'Grafbase')!;
    // The first child has the subgraphs of the peers.
    const pids = [peer.child.process.pid!, peers.children[0]!.process.pid!];
    const our = { name: OURS, url: `${ours.origin}/t/graphql`, pids: [ours.pid] };
    const beside = { name: `${peer.name} ${peer.version}`, url: peer.url, pids };
    return [
      ...(await texts([our, beside], directory)),
      ...(await newTokens(our, ehr)),
      ...(await roundTrips(ours.origin, ehr)),
      ...(await zip(join(directory, 'zip'))),
    ];
  } finally {
    await Promise.all(ending.map((end) => end()));
    await rm(directory, { recursive: true, force: true });
  }
}

/** Returns the milliseconds of processor that all processes have used. */
const processorOf = ({ pids }: Contender): number =>
  pids.reduce((sum, pid) => sum + processCost(pid).processor * 1000, 0);

/** New texts and prepared ones, by this gateway and by the peer. */
async function texts([ours, peer]: readonly [Contender, Contender], directory: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [what, bodyOf] of Object.entries(TEXTS)) {
    const ask: Ask = (patient) => ({ path: '/graphql', body: JSON.stringify(bodyOf(`p${patient}`)) });
    const script = await writeScript(join(directory, 'requests.lua'), postedBy(ask));
    const processor: Record<string, number[]> = { [ours.name]: [], [peer.name]: [] };
    const turn = (contender: Contender) => async () => {
      const before = processorOf(contender);
      const { requests, perSecond } = await wrk(contender.url, script, { seconds: SECONDS });
      processor[contender.name]!.push((processorOf(contender) - before) / requests);
      return perSecond;
    };
    for (const { url } of [ours, peer]) await wrk(url, script, { seconds: WARM_UP });
    const result = await alternate({ [peer.name]: turn(peer), [ours.name]: turn(ours) }, ROUNDS);
    // The first round warms up.
    const ofProcessor = ({ name }: Contender) => median(processor[name]!.slice(1));
    const isNew = what !== 'prepared';
    figures.push(
      { what: `federated request, ${what}`, value: result[ours.name]!.median, unit: 'requests/s' },
      { what: `… ${peer.name}`, value: result[peer.name]!.median, unit: 'requests/s' },
      {
        what: `… beside ${peer.name}`,
        value: result[ours.name]!.ratio,
        unit: '×',
        ...(isNew && { atLeast: TEXT_AT_LEAST }),
      },
      {
        what: '… processor for a request',
        value: ofProcessor(ours),
        unit: 'ms',
        ...(isNew && { atMost: TEXT_AT_MOST }),
      },
      { what: `… processor for a request, ${peer.name}`, value: ofProcessor(peer), unit: 'ms' },
    );
  }
  return figures;
}

/** A new token in each request, which the gateway introspects at the EHR, beside known ones. */
async function newTokens(ours: Contender, ehr: AuthorizationServer): Promise<Figure[]> {
  const { origin, pathname } = new URL(ours.url);
  let given = 0;
  const turn = (name: 'known' | 'new') => async () => {
    const first = given;
    given += REQUESTS;
    const patientOf = (number: number) => (number % PATIENTS) + 1;
    const tokenOf = (number: number) => `${name}-${number}`;
    if (name === 'new')
      for (let number = first; number < given; number++) {
        const patient = patientOf(number);
        giveToken(ehr, tokenOf(number), { id: `p${patient}`, mrn: mrnOf(patient) });
      }
    const before = processorOf(ours);
    await throughput(origin, { count: REQUESTS, connections: CONNECTIONS }, async (connection, index) => {
      const patient = patientOf(first + index);
      const { body } = ASKED.federated(patient);
      const headers = headersOf(patient, body);
      if (name === 'new') headers['authorization'] = `Bearer ${tokenOf(first + index)}`;
      const bytes = await connection.send(pathname, headers, body);
      if (bytes < 1000) throw new Error(`${ours.url} answered ${bytes} bytes`);
    });
    return (processorOf(ours) - before) / REQUESTS;
  };
  for (let round = 0; round < 4; round++) await turn('new')();
  const { known, new: fresh } = await alternate({ known: turn('known'), new: turn('new') }, ROUNDS);
  return [
    { what: 'a known token each, processor for a request', value: known.median, unit: 'ms' },
    { what: '… a new token each', value: fresh.median, unit: 'ms' },
    { what: '… beside a known one', value: fresh.ratio, unit: '×', atMost: TOKEN_AT_MOST },
  ];
}

/** Returns the tenant whose record is at the EHR, which knows patients and nothing else. */
function remoteTenant(data: DemoData, { fhirBaseUrl, client, instead }: AuthorizationServer): object {
  const none = { resourceType: 'Bundle', type: 'searchset', entry: [] };
  const resource = ['Patient', 'Condition', 'ImagingStudy'].map((type) => ({
    type,
    interaction: [{ code: 'search-type' }],
  }));
  const statement = {
    resourceType: 'CapabilityStatement',
    fhirVersion: '4.0.1',
    rest: [{ mode: 'server', resource }],
  };
  instead.set('/fhir/metadata', [200, statement]);
  for (const type of ['Condition', 'ImagingStudy']) instead.set(`/fhir/${type}`, [200, none]);
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl, client, introspectionTtl: 3600 };
  return { ...tenantOver(data, authorization), clinical: { type: 'fhir', baseUrl: fhirBaseUrl } };
}

/** Record and images in one request while each answer of the EHR takes 50 ms: with a known token, and with a new one. */
async function roundTrips(origin: string, ehr: AuthorizationServer): Promise<Figure[]> {
  const query =
    'query ($id: ID!) { Patient(id: $id) { birthDate ConditionList { id } ImagingStudyList { id } } }';
  const timed = async (patient: number, token: string) => {
    giveToken(ehr, token, { id: `p${patient}`, mrn: mrnOf(patient) });
    const body = JSON.stringify({ query, variables: { id: `p${patient}` } });
    const headers = { ...headersOf(patient, body), authorization: `Bearer ${token}` };
    const began = performance.now();
    const answer = await request(`${origin}/remote/graphql`, { method: 'POST', headers, body });
    const text = await answer.body.text();
    const rounds = (performance.now() - began) / EHR_DELAY;
    if (text.includes('"errors"') || !text.includes('"ImagingStudyList":[{'))
      throw new Error(text.slice(0, 300));
    return rounds;
  };
  await timed(1, 'first');
  ehr.delay = EHR_DELAY;
  const cold: number[] = [];
  const warm: number[] = [];
  for (let patient = 2; patient <= 42; patient++) {
    cold.push(await timed(patient, `remote-${patient}`));
    warm.push(await timed(patient, `remote-${patient}`));
  }
  ehr.delay = 0;
  const what = `record and images, an EHR of ${EHR_DELAY} ms`;
  const unit = `× ${EHR_DELAY} ms`;
  return [
    { what, value: median(warm), unit, atMost: WARM_AT_MOST },
    { what: '… with a new token and a new patient', value: median(cold), unit, atMost: COLD_AT_MOST },
  ];
}

/** A study as a zip file, beside the same as multipart. @param directory is made, with its parts */
async function zip(directory: string): Promise<Figure[]> {
  await mkdir(join(directory, 'records'), { recursive: true });
  await writeOpenTenant(directory);
  await writeCtFiles(join(directory, 'images'), OBJECTS);
  const server = await startWholeGateway({ checkout: root, directory, name: 'zip', status: 200 });
  try {
    const url = `${server.origin}/t/dicomweb/studies/${ctStudyUid(0)}`;
    const contender = { name: OURS, url, pids: [server.pid] };
    const retrieve = (accept: string) => async () => {
      const before = processorOf(contender);
      const bytes = await download(url, { accept: `${accept}; transfer-syntax=*` });
      if (bytes < OBJECTS * 512 * 1024) throw new Error(`${accept} has ${bytes} bytes.`);
      return processorOf(contender) - before;
    };
    const multipart = retrieve('multipart/related; type="application/dicom"');
    for (let attempt = 0; attempt < 100 && !(await multipart().catch(() => 0)); attempt++) await sleep(200);
    const result = await alternate({ multipart, zip: retrieve('application/zip') }, 2 * ROUNDS);
    return [
      {
        what: 'a study of 200 × 512 KiB as multipart, processor',
        value: result.multipart.median,
        unit: 'ms',
      },
      { what: '… as zip', value: result.zip.median, unit: 'ms' },
      { what: '… beside multipart', value: result.zip.ratio, unit: '×', atMost: ZIP_AT_MOST },
    ];
  } finally {
    await server.stop();
  }
}
