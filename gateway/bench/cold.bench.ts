/**
 * Requests for which nothing is warm, beside prepared ones: patient and studies of 200 patients, with a new text, an id in a new
 * text, or a new token in each request, 32 connections of wrk. This gateway runs as `npm start` runs it; the peer has nothing to check, and
 * subgraphs that answer from memory. Processor time is that of all processes but the client's, which is also the EHR. `ROUNDS`
 * and `SECONDS` change how long it takes.
 */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { mrnOf, STUDIES } from './data/large-patient.ts';
import { alternate, median, type Figure } from './measure.ts';
import { startPeers } from './peers/peers.ts';
import { processCost } from './peers/process-cost.ts';
import { NEW_NUMBER, writeScript, wrk } from './peers/wrk.ts';
import { throughput } from './throughput.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const SECONDS = Number(process.env['SECONDS'] ?? 5);
/** Seconds of load before the first round: V8 compiles late what two processors share. */
const WARM_UP = 10;
/** Requests of one round with new tokens, which the EHR has to know. */
const REQUESTS = 4000;
const CONNECTIONS = 8;

const OURS = 'this gateway';
/** Bounds of the ratio to the peer, and of the processor time of a request. */
const TEXT_AT_LEAST = 1;
const TEXT_AT_MOST = 0.45;
const TOKEN_AT_MOST = 4;
/** Milliseconds in which the remote EHR answers, and how often a request may wait as long. */
const EHR_DELAY = 50;
const WARM_AT_MOST = 1.4;
const COLD_AT_MOST = 3.7;
/** Bounds of a list beside an archive that answers nothing, in milliseconds: the first list, and later ones. */
const FIRST_LIST_AT_MOST = 1500;
const LATER_LIST_AT_MOST = 300;

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
    const hung = await hungArchives(directory, data, ehr);
    ending.push(hung.close);
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
      ...(await besideHung(ours.origin, hung.tenants)),
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

/** Writes a tenant for each round, whose second archive accepts connections and answers nothing. */
async function hungArchives(directory: string, data: DemoData, ehr: AuthorizationServer) {
  const archives = Array.from({ length: ROUNDS }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(archives.map((archive) => once(archive, 'listening')));
  const { fhirBaseUrl, client } = ehr;
  const lookup = 'studies-by-mrn';
  const tenants = archives.map(async (archive, round) => {
    const endpoint = `http://127.0.0.1:${(archive.address() as AddressInfo).port}/dicom-web`;
    const images = [
      { type: 'folder', path: data.images, lookup },
      { type: 'dicom-web', endpoint, lookup },
    ];
    const authorization = { type: 'smart-on-fhir', fhirBaseUrl, client, introspectionTtl: 3600 };
    const tenant = JSON.stringify({ ...tenantOver(data, authorization), images });
    await writeFile(join(directory, `tenants/hung-${round}.json`), tenant);
    return `hung-${round}`;
  });
  return { tenants: await Promise.all(tenants), close: () => archives.forEach((archive) => archive.close()) };
}

/** The first list beside an archive that answers nothing, and a later one. */
async function besideHung(origin: string, tenants: readonly string[]): Promise<Figure[]> {
  const timed = async (tenant: string) => {
    const began = performance.now();
    const { body } = await request(`${origin}/${tenant}${ASKED.qido(1).path}`, {
      headers: headersOf(1, undefined),
    });
    const text = await body.text();
    if ((JSON.parse(text) as unknown[]).length !== STUDIES) throw new Error(text.slice(0, 300));
    return performance.now() - began;
  };
  const first: number[] = [];
  const later: number[] = [];
  for (const tenant of tenants) {
    first.push(await timed(tenant));
    for (let round = 0; round < ROUNDS; round++) later.push(await timed(tenant));
  }
  const what = 'first list with a hung archive beside a good one';
  return [
    { what, value: median(first), unit: 'ms', atMost: FIRST_LIST_AT_MOST },
    { what: '… later ones', value: median(later), unit: 'ms', atMost: LATER_LIST_AT_MOST },
  ];
}
