/**
 * A study that becomes withheld while all of it is cached, and is shown again later (IA-31, IA-29): by rules of the
 * tenant, by a decision service, by a label of the record, or by its images. While withheld it is in no list, and no
 * address leads to it: no rendered image, no earlier link or capability, no entity tag. From every kind of source,
 * over HTTP.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, vi } from 'vitest';
import { tenantsOf } from './gateway-alone.ts';
import {
  SOURCES,
  startEverySource,
  type Answer,
  type Asking,
  type EverySource,
  type Source,
} from './every-source.ts';
import { smallObjects } from './setup/small-objects.ts';
import { isInTurn, testEach } from './setup/usual-run.ts';

/** Seconds for which a decision, a label or a row may be remembered, plus one. */
const REMEMBERED = 61;
/** One study for each way to become withheld, one that never does, and one that does not exist. */
const UIDS = { rules: '1.10.1', service: '1.10.2', label: '1.10.3', images: '1.10.4' };
type Change = keyof typeof UIDS;
const CHANGES = Object.keys(UIDS) as Change[];
/** The changes of the record and of the images; `withhold.test.ts` has the others in every run. */
const USUAL: readonly Change[] = ['label', 'images'];
const SHOWN = '1.10.5';
const ABSENT = '1.10.9';

let every: EverySource;
let server: Server;
/** Whether each change is in effect. */
const withheld: Record<Change, boolean> = { rules: false, service: false, label: false, images: false };
/** Milliseconds by which the clock is ahead. */
let late = 0;
const now = () => Date.now() + late;

beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => response.end(JSON.stringify(answer(request.url ?? '', body))));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const objects = [...Object.values(UIDS), SHOWN].map((uid) => objectsOf(uid));
  every = await startEverySource(Object.assign({}, ...objects) as Record<string, Buffer>, {
    now,
    tenants: (images, smart) => {
      const rules = [{ url: `${url}/decide` }, { security: ['R'], unlabelled: 'show' }, { modality: ['XA'] }];
      const tenants = (withhold: object[]) =>
        tenantsOf(
          Object.fromEntries(
            SOURCES.map((source) => [
              source,
              {
                authorization: { ...smart, withhold },
                clinical: { type: 'fhir', baseUrl: url },
                images: [images[source]].flat().map((one) => ({ ...one, retrieve: 'capability' })),
              },
            ]),
          ),
        );
      const [open, strict] = [tenants(rules), tenants([...rules, { studyUid: [UIDS.rules] }])];
      return { ...open, byKey: (key) => (withheld.rules ? strict : open).byKey(key) };
    },
  });
  every.ehr.now = now;
  every.give('own', 'a', { exp: 4e9 });
  // The first query starts the graph, which holds up all other work: a decision would come too late.
  await every.ask('/folder/graphql', { json: { query: '{ __typename }' } });
}, 60_000);
afterAll(async () => {
  await every?.close();
  server?.closeAllConnections();
  server?.close();
});
beforeEach(() => {
  // Never goes back, also not for the next test: what is kept would then be kept for longer.
  const clock = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => clock() + late);
});

/** Answers as decision service and clinical record, which are one server. */
function answer(url: string, body: string): object {
  if (url === '/decide')
    return { withheld: withheld.service && body.includes(UIDS.service) ? [UIDS.service] : [] };
  const identifier = [{ value: 'MRN-a', type: { coding: [{ code: 'MR' }] } }];
  if (url.startsWith('/Patient')) return { resourceType: 'Patient', id: 'a', identifier };
  const security = [{ system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'R' }];
  const resource = {
    resourceType: 'ImagingStudy',
    id: 'labelled',
    status: 'available',
    subject: { reference: 'Patient/a' },
    identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${UIDS.label}` }],
    ...(withheld.label && { meta: { security } }),
  };
  const entry = url.includes(UIDS.label) ? [{ resource }] : [];
  return { resourceType: 'Bundle', type: 'searchset', entry };
}

function objectsOf(studyUid: string, modality = 'CT'): Record<string, Buffer> {
  const objects = smallObjects({ studyUid, patientId: 'MRN-a', modality, instances: 2 });
  return Object.fromEntries(objects.map((file, index) => [`${studyUid}-${index}.dcm`, file]));
}

type Way = [name: string, path: string, asking?: Asking];

/** Lists every way to retrieve a study by its UID. */
function ways(uid: string): Way[] {
  const study = `/dicomweb/studies/${uid}`;
  const instance = `${study}/series/${uid}.1/instances/${uid}.1.1`;
  const uri = `/wado-uri?requestType=WADO&studyUID=${uid}&seriesUID=${uid}.1&objectUID=${uid}.1.1`;
  const graphql = (query: string) => ({ json: { query } });
  const accept = (accept: string) => ({ headers: { accept } });
  return [
    ['study', study, accept('multipart/related; type="application/dicom"; transfer-syntax=*')],
    ['metadata', `${study}/metadata`],
    ['instance', instance, accept('application/dicom; transfer-syntax=*')],
    ['frames', `${instance}/frames/1`],
    ['bulk data', `${instance}/bulkdata/7FE00010`],
    ['all pixel data', `${study}/pixeldata`],
    ['rendered', `${instance}/rendered`, accept('image/png')],
    ['thumbnail', `${study}/thumbnail`, accept('image/png')],
    ['series', `${study}/series`],
    ['WADO-URI', uri, accept('image/png')],
    ['FHIR read', `/fhir/ImagingStudy/${uid}`],
    ['Endpoint', `/fhir/Endpoint/${uid}`],
    ['link', '/wado/links', { json: { path: `studies/${uid}/rendered` } }],
    ['GraphQL read', '/graphql', graphql(`{ ImagingStudy(id: "${uid}") { id } }`)],
    ['GraphQL list', '/graphql', graphql('{ ImagingStudyList { id } }')],
    ['FHIR list', '/fhir/ImagingStudy'],
    ['QIDO-RS list', '/dicomweb/studies'],
    ['QIDO-RS by UID', `/dicomweb/studies?StudyInstanceUID=${uid}`],
  ];
}
/** Returns the ways of a source that are in the run: `npm test` has all lists, and each other way with every other source. */
const waysInRun = (source: Source, uid: string): Way[] =>
  ways(uid).filter(([name], row) => name.endsWith('list') || isInTurn([row, SOURCES.indexOf(source)], 2));
const SHOWN_AGAIN = ['study', 'metadata', 'FHIR read', 'GraphQL list', 'QIDO-RS list'];
const TELLS = /^GraphQL|list$|^QIDO/;

/** Returns addresses that a caller got while the study was shown. */
async function given(source: Source, uid: string): Promise<{ link: string; capability: string }> {
  const path = `studies/${uid}/metadata`;
  const json = (answer: Answer) => JSON.parse(answer.body.toString()) as Record<string, string>;
  const { url } = json(await every.ask(`/${source}/wado/links`, { json: { path } }));
  const { address } = json(await every.ask(`/${source}/fhir/Endpoint/${uid}`));
  const [link, capability] = [url, `${address}/${path}`].map((one) =>
    one!.replace(every.gateway.baseUrl, ''),
  );
  return { link: link!, capability: capability! };
}

/** Requests the study in every way; `tells` says whether an answer with a list has the study. */
async function found(source: Source, uid: string, etags: ReadonlyMap<string, string> = new Map()) {
  const ask = async ([name, path, asking]: Way) => {
    const held = etags.get(name);
    const headers = { ...asking?.headers, ...(held && { 'if-none-match': held }) };
    const answer = await every.ask(`/${source}${path}`, { ...asking, headers });
    const body = answer.body.toString();
    // The list has the study that is always shown, whatever happens to this one.
    if (isList(name))
      expect([source, name, answer.status, body.includes(SHOWN)]).toEqual([source, name, 200, true]);
    const tells = TELLS.test(name) && answer.status === 200 ? body.includes(uid) : undefined;
    return { name, answer, tells };
  };
  const isList = (name: string) => name.endsWith('list');
  const [lists, others] = [true, false].map((is) =>
    waysInRun(source, uid).filter(([name]) => isList(name) === is),
  );
  // Lists first: a request for one study makes a new decision, from which lists would profit.
  return [...(await Promise.all(lists!.map(ask))), ...(await Promise.all(others!.map(ask)))];
}

async function isShown(source: Source, uid: string): Promise<Map<string, string>> {
  const answers = await found(source, uid);
  for (const { name, answer, tells } of answers) {
    expect([source, name, answer.status, tells]).toEqual([
      source,
      name,
      name === 'link' ? 201 : 200,
      TELLS.test(name) ? true : undefined,
    ]);
  }
  return new Map(
    answers.flatMap(({ name, answer }) =>
      answer.headers['etag'] ? [[name, String(answer.headers['etag'])]] : [],
    ),
  );
}

/** The answers for a study that does not exist. */
const refusals: Partial<Record<Source, ReturnType<typeof found>>> = {};

async function isGone(source: Source, uid: string, etags: ReadonlyMap<string, string>): Promise<void> {
  const absent = await (refusals[source] ??= found(source, ABSENT));
  for (const { name, answer, tells } of await found(source, uid, etags)) {
    const same = absent.find((one) => one.name === name)!.answer;
    expect([source, name, answer.status, tells]).toEqual([
      source,
      name,
      same.status,
      TELLS.test(name) && same.status === 200 ? false : undefined,
    ]);
    if (!name.endsWith('list'))
      expect([source, name, answer.body.toString()]).toEqual([source, name, same.body.toString()]);
    if (!TELLS.test(name)) expect([source, name, answer.status]).toEqual([source, name, 404]);
  }
}

const everywhere = <T>(work: (source: Source) => Promise<T>) => Promise.all(SOURCES.map(work));

async function change(what: Change, isWithheld: boolean): Promise<void> {
  withheld[what] = isWithheld;
  if (what === 'images') await every.replace(UIDS.images, objectsOf(UIDS.images, isWithheld ? 'XA' : 'CT'));
  if (what === 'service' || what === 'label') late += REMEMBERED * 1000;
  if (what !== 'images') return;
  // A folder is scanned again some time after its files have changed.
  const seen = async () => {
    late += REMEMBERED * 1000;
    const { status } = await every.ask(`/folder/dicomweb/studies/${UIDS.images}/series`);
    const { body } = await every.ask('/folder/dicomweb/studies');
    return [status, body.includes(UIDS.images)];
  };
  const wanted = isWithheld ? [404, false] : [200, true];
  await expect.poll(seen, { timeout: 10_000, interval: 200 }).toEqual(wanted);
}

testEach(CHANGES, (what) => USUAL.includes(what))(
  'IA-31, IA-29 withheld by %s, then shown again',
  async (what) => {
    const uid = UIDS[what];
    const etags = await everywhere((source) => isShown(source, uid));
    const addresses = await everywhere((source) => given(source, uid));
    await change(what, true);
    await everywhere((source) => isGone(source, uid, etags[SOURCES.indexOf(source)]!));
    for (const { link, capability } of addresses) {
      // Links have expired when the clock was moved.
      expect([link, (await every.ask(link, { token: '' })).status]).toEqual([
        link,
        what === 'rules' ? 404 : 403,
      ]);
      expect([capability, (await every.ask(capability)).status]).toEqual([capability, 404]);
    }
    await change(what, false);
    await everywhere(async (source) => {
      for (const [name, path, asking] of ways(uid).filter(([name]) => SHOWN_AGAIN.includes(name))) {
        const { status, body } = await every.ask(`/${source}${path}`, asking);
        expect([source, name, status, body.includes(uid)]).toEqual([source, name, 200, true]);
      }
    });
  },
  60_000,
);
