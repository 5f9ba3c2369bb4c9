/**
 * IA-7: a study of another patient and a withheld study look like an absent one; a refusal costs the same requests to
 * the archive, the EHR and the decision service, whatever was requested before.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCountingProxy, type Upstream } from '../../subgraphs/imaging/test/upstream.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { smallObjects } from './setup/small-objects.ts';
import { startTcpProxy, type TcpProxy } from './setup/tcp-proxy.ts';
import { isInTurn, longTest } from './setup/usual-run.ts';
import { SECRET, vendorServer, type VendorServer } from './vendor-server.ts';

const [OWN, FOREIGN, WITHHELD, ABSENT] = [1, 2, 3, 9];
type Kind = number;
const REFUSED: readonly [name: string, kind: Kind][] = [
  ['absent', ABSENT!],
  ['foreign', FOREIGN!],
  ['withheld', WITHHELD!],
];
/** UIDs of the same length, so that requests have the same length too. */
const uid = (kind: Kind, number: number): string => `1.7.${kind}.${10 + number}`;

/** Every way to retrieve a study by its UID: a path, or a body that is posted. */
const ROUTES: readonly [name: string, path: (uid: string) => string, body?: (uid: string) => object][] = [
  ['study', (uid) => `/dicomweb/studies/${uid}`],
  ['zip', (uid) => `/dicomweb/studies/${uid}?accept=application/zip`],
  ['metadata', (uid) => `/dicomweb/studies/${uid}/metadata`],
  ['series', (uid) => `/dicomweb/studies/${uid}/series/${uid}.1`],
  ['instance', (uid) => `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1`],
  ['frames', (uid) => `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1/frames/1`],
  ['bulk data', (uid) => `/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1/bulkdata/7FE00010`],
  ['all pixel data', (uid) => `/dicomweb/studies/${uid}/pixeldata`],
  ['rendered', (uid) => `/dicomweb/studies/${uid}/rendered`],
  ['thumbnail', (uid) => `/dicomweb/studies/${uid}/series/${uid}.1/thumbnail`],
  ['search of series', (uid) => `/dicomweb/studies/${uid}/series`],
  ['search of instances', (uid) => `/dicomweb/studies/${uid}/instances`],
  ['search by UID', (uid) => `/dicomweb/studies?StudyInstanceUID=${uid}&patient=george`],
  ['WADO-URI', (uid) => `/wado-uri?requestType=WADO&studyUID=${uid}&seriesUID=${uid}.1&objectUID=${uid}.1.1`],
  ['FHIR read', (uid) => `/fhir/ImagingStudy/${uid}`],
  ['FHIR search by id', (uid) => `/fhir/ImagingStudy?patient=george&_id=${uid}`],
  ['FHIR search by identifier', (uid) => `/fhir/ImagingStudy?patient=george&identifier=urn:oid:${uid}`],
  ['Endpoint', (uid) => `/fhir/Endpoint/${uid}`],
  ['GraphQL', () => '/graphql', (uid) => ({ query: `{ ImagingStudy(id: "${uid}") { id } }` })],
  ['link', () => '/wado/links', (uid) => ({ path: `studies/${uid}/rendered` })],
];

/** The routes that name the patient, or search all studies of the patient. */
const LISTS = /^FHIR search|^GraphQL|^search by UID/;
const LIST: (typeof ROUTES)[number] = ['list', () => '/fhir/ImagingStudy?patient=george'];

let orthanc: Orthanc;

beforeAll(async () => {
  const study = (kind: Kind, patientId: string, modality: string) => (_: unknown, number: number) =>
    smallObjects({ studyUid: uid(kind, number), patientId, modality, instances: 3 });
  const each = { length: ROUTES.length };
  orthanc = await startOrthanc({
    files: [
      ...Array.from(each, study(OWN!, 'MRN-george', 'CT')),
      ...Array.from(each, study(FOREIGN!, 'MRN-maria', 'CT')),
      ...Array.from(each, study(WITHHELD!, 'MRN-george', 'XA')),
    ].flat(),
  });
}, 60_000);
afterAll(() => orthanc?.stop());

type Route = (typeof ROUTES)[number];

/** A separate gateway over the archive that counts all its requests. */
class Counted {
  #web!: Upstream;
  #dimse!: TcpProxy;
  /** The first server names the patient of each token, the second has tokens of users. */
  #launching!: AuthorizationServer;
  #ehr!: VendorServer;
  #service!: Server;
  #gateway!: TestGateway;
  #pool!: Pool;
  #decisions = 0;

  async start(): Promise<void> {
    this.#web = await startCountingProxy(orthanc.url);
    this.#dimse = await startTcpProxy(orthanc.dicomPort);
    this.#launching = await authorizationServer();
    this.#ehr = await vendorServer('meditech');
    this.#service = createServer((_request, response) => {
      this.#decisions++;
      response.end('{"withheld":[]}');
    });
    await new Promise<void>((done) => this.#service.listen(0, '127.0.0.1', done));
    this.#gateway = await buildTestGateway(() => this.#tenants(), { images: '', patients: '' }, undefined, {
      port: await freePort(),
    });
    this.#pool = new Pool(this.#gateway.baseUrl, { connections: 1 });
    this.#giveTokens();
  }

  #tenants(): Record<string, object> {
    const { username, password } = orthanc;
    const lookup = 'studies-by-mrn';
    const web = {
      type: 'dicom-web',
      endpoint: `${this.#web.url}/dicom-web`,
      lookup,
      authentication: { type: 'http-basic', username, password },
    };
    const dimse = {
      type: 'dicom-dimse',
      endpoint: `dimse://127.0.0.1:${this.#dimse.port}`,
      lookup,
      ae: 'GATEWAY',
      calledAe: orthanc.aet,
      retrieval: 'c-get',
    };
    const servers = {
      patient: { fhirBaseUrl: this.#launching.fhirBaseUrl, client: this.#launching.client },
      user: { fhirBaseUrl: this.#ehr.fhirBaseUrl, client: { client_id: 'imaging', client_secret: SECRET } },
    };
    const url = `http://127.0.0.1:${(this.#service.address() as AddressInfo).port}`;
    const withhold = [{ modality: ['XA'] }, { url }];
    const tenant = (server: keyof typeof servers, images: object) => ({
      // The token is introspected once, however long the test takes.
      authorization: { type: 'smart-on-fhir', ...servers[server], withhold, introspectionTtl: 3600 },
      clinical: { type: 'none' },
      images,
    });
    const tenants = (server: keyof typeof servers) => ({
      [`dicom-web-${server}`]: tenant(server, web),
      [`dicom-dimse-${server}`]: tenant(server, dimse),
      [`several-${server}`]: tenant(server, [web, dimse]),
    });
    return { ...tenants('patient'), ...tenants('user') };
  }

  #giveTokens(): void {
    const active = { active: true, client_id: 'app', exp: 4_000_000_000 };
    for (const [token, id] of [
      ['patient', 'george'],
      ['owner', 'maria'],
    ] as const) {
      const identifier = [{ value: `MRN-${id}`, type: { coding: [{ code: 'MR' }] } }];
      this.#launching.patients.set(id, { resourceType: 'Patient', id, identifier });
      this.#launching.tokens.set(token, { ...active, scope: 'patient/*.rs', patient: id });
    }
    for (const [token, id] of [
      ['user', 'george'],
      ['owner', 'maria'],
    ] as const) {
      this.#ehr.tokens.set(token, { ...active, scope: 'user/*.rs', fhirUser: 'Practitioner/7' });
      this.#ehr.readers.set(id, new Set([token]));
    }
  }

  async close(): Promise<void> {
    await this.#pool?.close();
    await this.#gateway?.close();
    this.#service?.closeAllConnections();
    this.#service?.close();
    await Promise.all([this.#web, this.#ehr, this.#launching].map((server) => server?.close()));
    await this.#dimse?.stop();
  }

  async ask(source: string, token: string, [, path, body]: Route, uid: string) {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await this.#pool.request({
      path: `/${source}${path(uid)}`,
      headers,
      ...(body ? { method: 'POST', body: JSON.stringify(body(uid)) } : { method: 'GET' }),
    });
    const text = await answer.body.text();
    // Links of a search repeat its parameters.
    return {
      status: answer.statusCode,
      body: text.replaceAll(uid, 'UID').replace(/"id":"[0-9a-f-]{36}"/, ''),
    };
  }

  /** Returns the lengths of the data units that the gateway has sent to the archive (PS3.8 §9.3.5). */
  #dataUnits(): number[] {
    return this.#dimse.connections.flatMap(({ sent }) => {
      const bytes = Buffer.concat(sent);
      const lengths: number[] = [];
      for (let at = 0; at + 6 <= bytes.length; at += 6 + bytes.readUInt32BE(at + 2)) {
        if (bytes[at] === 4) lengths.push(bytes.readUInt32BE(at + 2));
      }
      return lengths;
    });
  }

  /**
   * Sends one request; returns its answer, and the requests of the gateway to the archive, the EHR and the service.
   */
  async trips(source: string, token: string, route: Route, uid: string) {
    this.#web.asked.length = 0;
    this.#ehr.seen.length = 0;
    this.#dimse.connections = this.#dimse.connections.filter(({ open }) => open);
    const before = { units: this.#dataUnits().length, decisions: this.#decisions };
    const answer = await this.ask(source, token, route, uid);
    // The gateway checks that the archive has anything by asking for a study that it had: any of them.
    // A patient is read in any case, by the id of whoever the search has found.
    const shape = (line: string) =>
      line.replaceAll(uid, 'UID').replaceAll(/MRN-\w+|\b1\.7(\.\d+)+|(?<=Patient\/)\w+/g, 'UID');
    return {
      ...answer,
      web: this.#web.asked.map(shape),
      dimse: this.#dataUnits().slice(before.units).length,
      ehr: this.#ehr.seen.map(shape),
      decisions: this.#decisions - before.decisions,
    };
  }
}

const TOKENS = ['patient', 'user'];
const KINDS = ['dicom-web', 'dicom-dimse', 'several'].flatMap((kind) =>
  TOKENS.map((token) => ({ kind, token })),
);
// At the same time, since refusals are delayed: each test counts the requests of its own gateway.
describe.concurrent.each(KINDS)('$kind', ({ kind, token }) => {
  const gateway = new Counted();
  const source = `${kind}-${token}`;
  // `npm test` has a third of the routes, of each source with one token.
  const column = KINDS.findIndex((one) => one.kind === kind && one.token === token);
  const routes = [...ROUTES.entries()].filter(([row]) => isInTurn([row, column], 3));
  const usual = (kind === 'dicom-web') === (token === 'user');
  const sequential = usual ? test.sequential : longTest.sequential;
  beforeAll(() => gateway.start(), 60_000);
  afterAll(() => gateway.close());

  sequential(
    `IA-7 refusals to a ${token} token cost the same requests, before and after other callers read the studies`,
    async () => {
      await gateway.ask(source, token, LIST, '');
      const refusals = async (route: Route, number: number) => {
        const asked = [];
        for (const [, kind] of REFUSED) {
          // Searches by patient are cached for some seconds, whatever study is requested.
          if (LISTS.test(route[0])) await gateway.ask(source, token, LIST, '');
          asked.push(await gateway.trips(source, token, route, uid(kind, number)));
        }
        return asked;
      };
      /**
       * Expects the same answer and the same requests for all kinds of refusals.
       * @param again true where a cached search may end between two of the requests: then it ends for one of them,
       * and the next attempt shows no difference
       */
      const alike = async (route: Route, number: number, again: boolean) => {
        let asked = await refusals(route, number);
        const isAlike = () => isDeepStrictEqual(asked, [asked[0], asked[0], asked[0]]);
        for (let times = 1; again && times < 3 && !isAlike(); times++) asked = await refusals(route, number);
        const [absent, foreign, withheld] = asked;
        expect([route[0], foreign]).toEqual([route[0], absent]);
        expect([route[0], withheld]).toEqual([route[0], absent]);
        expect(absent!.status).toBeLessThan(405);
        return absent!;
      };
      let questions = 0;
      for (const [number, route] of routes) {
        const { web, dimse } = await alike(route, number, LISTS.test(route[0]));
        questions += web.length + dimse;
      }
      expect(questions).toBeGreaterThan(routes.length);
      // The other patient reads all of their studies, this one lists the visible studies.
      for (const [number] of routes) {
        const { status } = await gateway.ask(source, 'owner', ROUTES[2]!, uid(FOREIGN!, number));
        expect([uid(FOREIGN!, number), status]).toEqual([uid(FOREIGN!, number), 200]);
      }
      await gateway.ask(source, token, ['list', () => '/dicomweb/studies?patient=george'], '');
      await gateway.ask(source, token, LIST, '');
      for (const [number, route] of routes) await alike(route, number, true);
    },
    120_000,
  );

  sequential(`IA-29 a ${token} token gets an own study, the second time without a search`, async () => {
    const own = () => gateway.trips(source, token, ROUTES[5]!, uid(OWN!, 0));
    expect((await own()).status).toBe(200);
    const { status, web, decisions } = await own();
    // Only the frame is requested: the owner of the study is remembered.
    expect([status, decisions]).toEqual([200, 0]);
    expect(web.filter((path) => path.includes('/studies?'))).toEqual([]);
  });
});
