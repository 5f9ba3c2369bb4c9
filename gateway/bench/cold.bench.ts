/**
 * Requests for which nothing is warm, beside prepared ones: patient and studies of 200 patients, with a new text, an id in the
 * text, or a new token in each request. This gateway runs as `npm start` runs it; the peer has nothing to check, and
 * subgraphs that answer from memory. Processor time is that of all processes but the client's, which is also the EHR.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { authorizationServer, type AuthorizationServer } from '../test/authorization-server.ts';
import { buildProduct } from './built-server.ts';
import { answerOf, ASKED, giveToken, PATIENTS, prepare, QUERY, startOver } from './distinct-patients.ts';
import { mrnOf } from './data/large-patient.ts';
import { alternate, median, type Figure } from './measure.ts';
import { startPeers } from './peers/peers.ts';
import { processCost } from './peers/process-cost.ts';
import type { PatientAnswers } from './peers/stub-data.ts';
import { throughput } from './throughput.ts';

const root = join(import.meta.dirname, '../..');
const ROUNDS = 5;
/** Requests of one round. */
const REQUESTS = 2000;
const CONNECTIONS = 8;

const OURS = 'this gateway';
/** Bounds of the ratio to the peer, and of the processor time of a request. */
const TEXT_AT_LEAST = 1;
const TEXT_AT_MOST = 0.45;
const TOKEN_AT_MOST = 4;

const idOf = (number: number) => `p${(number % PATIENTS) + 1}`;
const posted = (query: string, number: number): string =>
  JSON.stringify({ query, variables: { id: idOf(number) } });

/** Bodies of requests; a number is used once in a run. */
const TEXTS = {
  prepared: (number: number) => posted(QUERY, number),
  'a new text each': (number: number) =>
    posted(QUERY.replace('query', `query Q${number}`).replace('birthDate', `b${number}: birthDate`), number),
  'an id in the text': (number: number) =>
    JSON.stringify({
      query: QUERY.replace('($id: ID!)', `Q${number}`).replace('$id', JSON.stringify(idOf(number))),
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
    await prepare(directory, ehr);
    buildProduct();
    const ours = await startOver(root, directory, { name: 'ours' });
    ending.push(() => ours.stop());
    const patients: Record<string, PatientAnswers[string]> = {};
    for (let patient = 1; patient <= PATIENTS; patient++) {
      const { data } = JSON.parse(await answerOf(ours, ASKED.federated, patient)) as {
        data: { Patient: PatientAnswers[string] };
      };
      patients[data.Patient.id] = data.Patient;
    }
    const peers = await startPeers(directory, patients);
    ending.push(...peers.children.map((child) => () => child.end()));
    const peer = peers.all.find(({ name }) => name === 'Grafbase')!;
    // The first child has the subgraphs of the peers.
    const pids = [peer.child.process.pid!, peers.children[0]!.process.pid!];
    const our = { name: OURS, url: `${ours.origin}/t/graphql`, pids: [ours.pid] };
    const beside = { name: `${peer.name} ${peer.version}`, url: peer.url, pids };
    return [...(await texts(our, beside)), ...(await newTokens(our, ehr))];
  } finally {
    await Promise.all(ending.map((end) => end()));
    await rm(directory, { recursive: true, force: true });
  }
}

let sent = 0;

/** Sends requests with new numbers. @returns requests in a second, and milliseconds of processor for one */
async function load(
  { url, pids }: Contender,
  bodyOf: (number: number) => string,
  tokenOf = (number: number) => `token-${(number % PATIENTS) + 1}`,
): Promise<{ perSecond: number; processor: number }> {
  const { origin, pathname } = new URL(url);
  const cost = () => pids.reduce((sum, pid) => sum + processCost(pid).processor, 0);
  const before = cost();
  const first = sent;
  sent += REQUESTS;
  const perSecond = await throughput(
    origin,
    { count: REQUESTS, connections: CONNECTIONS },
    async (connection, index) => {
      const number = first + index;
      const headers = { authorization: `Bearer ${tokenOf(number)}`, 'content-type': 'application/json' };
      const bytes = await connection.send(pathname, headers, bodyOf(number));
      if (bytes < 1000) throw new Error(`${url} answered ${bytes} bytes`);
    },
  );
  return { perSecond, processor: ((cost() - before) * 1000) / REQUESTS };
}

/** New texts and prepared ones, by this gateway and by the peer. */
async function texts(ours: Contender, peer: Contender): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [what, bodyOf] of Object.entries(TEXTS)) {
    const processor: Record<string, number[]> = { [ours.name]: [], [peer.name]: [] };
    const turn = (contender: Contender) => async () => {
      const result = await load(contender, bodyOf);
      processor[contender.name]!.push(result.processor);
      return result.perSecond;
    };
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

/** A new token in each request, which the gateway has introspected at the EHR, beside known ones. */
async function newTokens(ours: Contender, ehr: AuthorizationServer): Promise<Figure[]> {
  const processor: Record<string, number[]> = { known: [], new: [] };
  const turn = (name: 'known' | 'new') => async () => {
    const given = (number: number) => `new-${number}`;
    if (name === 'new')
      for (let number = sent; number < sent + REQUESTS; number++) {
        const patient = (number % PATIENTS) + 1;
        giveToken(ehr, given(number), { id: `p${patient}`, mrn: mrnOf(patient) });
      }
    const result = await load(ours, TEXTS.prepared, name === 'new' ? given : undefined);
    processor[name]!.push(result.processor);
    return result.processor;
  };
  const { new: found } = await alternate({ known: turn('known'), new: turn('new') }, ROUNDS);
  return [
    { what: 'a new token each, processor for a request', value: found.median, unit: 'ms' },
    { what: '… beside a known one', value: found.ratio, unit: '×', atMost: TOKEN_AT_MOST },
  ];
}
