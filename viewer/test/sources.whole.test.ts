/**
 * One contract for all sources of the viewer, with the real gateway: the record by GraphQL and by FHIR REST, images by
 * DICOMweb; and what a user is told when something fails on the way.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startGateway, type GatewayProcess } from '../../gateway/test/setup/gateway.ts';
import { number, text } from '../src/domain/instance.ts';
import type { PatientRecord } from '../src/domain/record/record.ts';
import type { ImageLocation } from '../src/domain/study.ts';
import { DicomwebSource } from '../src/data/dicomweb/dicomweb-source.ts';
import { ownTenant } from '../src/data/graph/own-tenant.ts';
import { RestSource } from '../src/data/rest/rest-source.ts';
import type { RecordSource } from '../src/data/source.ts';
import { Transport, type Credentials } from '../src/data/transport.ts';
import { Trouble } from '../src/data/trouble.ts';
import { startFaultProxy, type Fault, type FaultProxy } from './setup/fault-proxy.ts';
import { imagesAreThere } from './setup/images-are-there.ts';

const HELEN = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
const PATIENTS = [
  HELEN,
  'demo-george-whitfield',
  'demo-maria-alvarez',
  'demo-ruth-lindqvist',
  'demo-samir-haddad',
  'demo-tomas-novak',
];
const never = new AbortController().signal;

let proxy: FaultProxy;
let gateway: GatewayProcess;

beforeAll(async () => {
  proxy = await startFaultProxy();
  gateway = await startGateway({ BASE_URL: proxy.url, VIEWER_URL: `${proxy.url}/app/` });
  proxy.target = Number(new URL(gateway.url).port);
  await imagesAreThere(proxy.url);
}, 240_000);
afterAll(async () => {
  await gateway?.stop();
  await proxy?.stop();
});
afterEach(() => {
  proxy.fault = () => undefined;
  proxy.seen.length = 0;
});

type Api = 'GraphQL' | 'REST';
const APIS: readonly Api[] = ['GraphQL', 'REST'];

function transportTo(credentials?: Credentials): Transport {
  return new Transport([`${proxy.url}/open`], { credentials });
}

function records(api: Api, tenant = 'open', transport = transportTo()): RecordSource {
  const base = `${proxy.url}/${tenant}`;
  return api === 'GraphQL' ? ownTenant(base, transport) : new RestSource(`${base}/fhir`, transport);
}

/** Returns a fault for the requests whose path has a word. */
const on = (word: string, fault: Fault) => (about: { path: string }) =>
  about.path.includes(word) ? fault : undefined;

/** Returns what a promise was rejected with. */
async function troubleOf(promise: Promise<unknown>): Promise<Trouble> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Trouble);
  return error as Trouble;
}

describe('FG-7, IA-14 the record', () => {
  test.each(PATIENTS)('of %s is the same by GraphQL and by REST', async (patient) => {
    const [graph, rest] = await Promise.all(APIS.map((api) => records(api).record(patient, never)));
    expect(rest).toEqual(graph);
    expect(graph!.missing).toEqual([]);
    expect(graph!.person.id).toBe(patient);
  });

  test('has studies with their place, and each report with its study as one entry', async () => {
    const record = await records('REST').record(HELEN, never);
    expect(record.person).toMatchObject({
      name: 'Helen Marie Castellanos',
      mrns: ['293ee354-f8ad-4345-b10c-759fdfdcc082'],
    });
    expect(record.studies).toHaveLength(15);
    for (const { location } of record.studies)
      expect(location).toEqual({ dicomweb: `${proxy.url}/open/dicomweb` });
    const entry = record.timeline.find(({ title }) => title.includes('follow-up of nodule'))!;
    expect(entry).toMatchObject({ kind: 'study', studies: [record.studies[0]!.uid] });
    expect(entry.reports[0]!.text).toContain('IMPRESSION');
    expect(new Set(record.timeline.map(({ id }) => id)).size).toBe(record.timeline.length);
  });

  test('takes one request by GraphQL', async () => {
    await records('GraphQL').record(HELEN, never);
    expect(proxy.seen.map(({ path }) => path)).toEqual(['/open/graphql']);
  });

  test('begins by GraphQL with what does not wait for the archive', async () => {
    const begun: PatientRecord[] = [];
    const whole = await records('GraphQL').record(HELEN, never, (record) => begun.push(record));
    expect(whole.studies).toHaveLength(15);
    const { person, allergies, problems, medications } = whole;
    const nothing = { studies: [], reports: [], timeline: [], missing: [] };
    expect(begun).toEqual([{ person, allergies, problems, medications, ...nothing }]);
  });

  test.each(APIS)('lists and finds patients by %s', async (api) => {
    const source = records(api);
    const names = async (text?: string) =>
      (await source.patients({ ...(text && { text }) }, never)).items.map(({ name }) => name);
    expect((await names()).length).toBeGreaterThanOrEqual(6);
    expect(await names('whit')).toEqual(['George Allen Whitfield']);
    expect(await names('MRN-0019540')).toEqual(['George Allen Whitfield']);
    expect(await names('1954-09-30')).toEqual(['George Allen Whitfield']);
    expect(await names('nobody at all')).toEqual([]);
  });

  test('has the same trends and priors by both, and says whose a study is', async () => {
    const [graph, rest] = APIS.map((api) => records(api));
    const [one, other] = await Promise.all(
      [graph!, rest!].map((source) => source.trend(HELEN, '2160-0', never)),
    );
    expect(one![0]!.points.length).toBeGreaterThan(3);
    expect(other).toEqual(one);
    const { studies } = await graph!.record(HELEN, never);
    const [first, second] = await Promise.all(
      [graph!, rest!].map((source) => source.priors(studies[0]!.uid, never)),
    );
    expect(first!.length).toBeGreaterThan(0);
    expect(second).toEqual(first);
    expect(await graph!.patientOf(studies[0]!.id, never)).toBe(await rest!.patientOf(studies[0]!.uid, never));
  });

  test.each(APIS)('of nobody is not found by %s', async (api) => {
    expect(await troubleOf(records(api).record('nobody', never))).toMatchObject({ kind: 'not-found' });
    expect(await troubleOf(records(api).priors('1.2.3', never))).toMatchObject({ kind: 'not-found' });
  });

  test.each(APIS)('IA-19 of a tenant whose archive is busy is there without images by %s', async (api) => {
    const record = await records(api, 'delayed').record(HELEN, never);
    expect(record.person.name).toBe('Helen Marie Castellanos');
    expect(record.problems!.length).toBeGreaterThan(0);
    expect(record.missing.map(({ part }) => part)).toContain('images');
  });
});

describe('images', () => {
  let record: PatientRecord;
  beforeAll(async () => {
    record = await records('GraphQL').record(HELEN, never);
  });

  /** Returns the first series of a study that has images, and the study's place. */
  function opened(description: string) {
    const study = record.studies.find((one) => one.description?.includes(description))!;
    const series = study.series.find(({ modality }) => modality !== 'SR')!;
    return { at: study.location!, name: { study: study.uid, series: series.uid } };
  }
  const images = () => new DicomwebSource(transportTo());

  test.each([
    ['MR head', '1.2.840.10008.1.2.1', 256 * 256 * 2],
    ['CT chest with contrast', '1.2.840.10008.1.2.5', undefined],
    ['Coronary angiography', '1.2.840.10008.1.2.4.50', undefined],
    ['MR shoulder', '1.2.840.10008.1.2.4.81', undefined],
  ])('DW-7 a frame of %s comes as stored: %s', async (description, transferSyntax, bytes) => {
    const { at, name } = opened(description);
    const [instance] = await images().series(at, name, never);
    expect(number(instance!, '00280010')).toBeGreaterThan(0);
    const frameName = { ...name, instance: text(instance!, '00080018')!, frame: 1 };
    const frame = await images().frame(at, frameName, never);
    expect(frame.transferSyntax).toBe(transferSyntax);
    if (bytes !== undefined) expect(frame.bytes.length).toBe(bytes);
    expect(frame.bytes.byteOffset).toBe(0);
  });

  test('DW-8, DW-9 studies and series have pictures', async () => {
    const { at, name } = opened('MR head');
    const size = { width: 300, height: 200 };
    const pictures = [
      images().rendered(at, { study: name.study }, size, never),
      images().rendered(at, name, size, never),
      images().thumbnail(at, name, never),
    ];
    for (const picture of await Promise.all(pictures)) {
      expect(picture.type).toBe('image/jpeg');
      expect(picture.size).toBeGreaterThan(1000);
    }
  });

  test('DW-7 a multipart answer that is cut is damaged; a connection that breaks is the network', async () => {
    const { at, name } = opened('MR head');
    const [instance] = await images().series(at, name, never);
    const frameName = { ...name, instance: text(instance!, '00080018')!, frame: 1 };
    proxy.fault = on('/frames/', { cutAfter: 60_000, how: 'ends' });
    expect(await troubleOf(images().frame(at, frameName, never))).toMatchObject({ kind: 'damaged' });
    proxy.fault = on('/frames/', { cutAfter: 60_000, how: 'breaks' });
    expect(await troubleOf(images().frame(at, frameName, never))).toMatchObject({ kind: 'offline' });
  });
});

describe('what fails on the way is told by its kind', () => {
  let at: ImageLocation;
  let name: { study: string; series: string };
  beforeAll(async () => {
    const { studies } = await records('GraphQL').record(HELEN, never);
    at = studies[0]!.location!;
    name = { study: studies[0]!.uid, series: studies[0]!.series[0]!.uid };
  });

  const HTML = { 'content-type': 'text/html' };
  const FAULTS: [string, Fault, Partial<Trouble>][] = [
    ['a server error', { status: 500, body: 'secret of Helen' }, { kind: 'server', status: 500 }],
    [
      '503 with Retry-After',
      { status: 503, headers: { 'retry-after': '7' } },
      { kind: 'busy', retryAfter: 7000 },
    ],
    ['429 without it', { status: 429 }, { kind: 'busy', retryAfter: undefined }],
    ['403', { status: 403 }, { kind: 'refused' }],
    ['404', { status: 404 }, { kind: 'not-found' }],
    ['410', { status: 410 }, { kind: 'not-found' }],
    ['401 without a session', { status: 401 }, { kind: 'signed-out' }],
    ['HTML in place of JSON', { status: 200, headers: HTML, body: '<p>Hello' }, { kind: 'damaged' }],
    ['JSON that ends early', { cutAfter: 100, how: 'ends' }, { kind: 'damaged' }],
    ['a connection that breaks', { cutAfter: 100, how: 'breaks' }, { kind: 'offline' }],
  ];
  const ASKED: [string, string, (transport?: Transport) => Promise<unknown>][] = [
    ['GraphQL', '/graphql', (transport) => records('GraphQL', 'open', transport).record(HELEN, never)],
    ['REST', '/Patient/', (transport) => records('REST', 'open', transport).record(HELEN, never)],
    [
      'DICOMweb',
      '/metadata',
      (transport = transportTo()) => new DicomwebSource(transport).series(at, name, never),
    ],
  ];

  describe.each(ASKED)('%s', (_api, path, run) => {
    test.each(FAULTS)('%s', async (_what, fault, expected) => {
      proxy.fault = on(path, fault);
      const trouble = await troubleOf(run());
      expect(trouble).toMatchObject(expected);
      expect(`${trouble.message} ${JSON.stringify(trouble.cause ?? '')}`).not.toMatch(
        /Helen|87a339d0|secret/,
      );
    });

    test('a 401 is renewed once, and asked again with the new token', async () => {
      let token = 'old';
      const renewed: string[] = [];
      const transport = transportTo({
        token: async () => token,
        renew: async (refused) => {
          if (refused === token) renewed.push(refused);
          token = 'new';
          return true;
        },
      });
      proxy.fault = (about) => (about.token === 'old' ? { status: 401 } : undefined);
      await run(transport);
      expect(renewed).toEqual(['old']);
      proxy.fault = on(path, { status: 401 });
      proxy.seen.length = 0;
      expect(await troubleOf(run(transport))).toMatchObject({ kind: 'signed-out' });
      expect(proxy.seen.filter((about) => about.path.includes(path))).toHaveLength(2);
    });
  });

  test.each(APIS)('a slow answer by %s can be given up', async (api) => {
    proxy.fault = () => ({ delay: 5_000 });
    const leaving = new AbortController();
    const reason = new Error('the user went elsewhere');
    const record = records(api).record(HELEN, leaving.signal);
    setTimeout(() => leaving.abort(reason), 50);
    await expect(record).rejects.toBe(reason);
  });

  test.each([
    [{ status: 500 }, { kind: 'server' }],
    [
      { status: 503, retryAfter: 2 },
      { kind: 'busy', retryAfter: 2000 },
    ],
    [
      { status: 503, retryAfter: 3e9 },
      { kind: 'busy', retryAfter: 300_000 },
    ],
    [{ status: 403 }, { kind: 'refused' }],
    [{ status: 404 }, { kind: 'not-found' }],
    [{}, { kind: 'server' }],
  ])('FG-10 GraphQL: an error %o in place of the patient', async (extensions, expected) => {
    const body = JSON.stringify({
      data: { Patient: null },
      errors: [{ message: 'no', path: ['Patient'], extensions }],
    });
    proxy.fault = () => ({ status: 200, headers: { 'content-type': 'application/json' }, body });
    expect(await troubleOf(records('GraphQL').record(HELEN, never))).toMatchObject(expected);
  });

  test('REST: one search that fails leaves the rest', async () => {
    proxy.fault = on('/Immunization', { status: 500 });
    const record = await records('REST').record(HELEN, never);
    expect(record.missing).toEqual([{ part: 'record', message: 'Immunization: the server answered 500' }]);
    expect(record.allergies?.length).toBeGreaterThan(0);
  });

  test('REST: a server without ImagingStudy has a record, and says that it has no images', async () => {
    proxy.fault = on('/ImagingStudy', { status: 404 });
    const record = await records('REST').record(HELEN, never);
    expect(record.studies).toEqual([]);
    expect(record.missing).toEqual([
      { part: 'images', message: expect.stringContaining('no imaging') as string },
    ]);
  });

  test('IA-1 REST: the images are at the associated endpoint that has them', async () => {
    const headers = { 'content-type': 'application/json' };
    const endpoint = { url: `${proxy.url}/open/fhir`, capabilities: ['smart-imaging-access'] };
    const smart = {
      capabilities: ['launch-ehr'],
      associated_endpoints: [{ url: 'https://other.example' }, endpoint],
    };
    proxy.fault = ({ path }) => {
      if (path.includes('/ehr/fhir/.well-known'))
        return { status: 200, headers, body: JSON.stringify(smart) };
      return path.startsWith('/ehr/fhir/Patient/')
        ? { status: 200, headers, body: `{"resourceType":"Patient","id":"${HELEN}"}` }
        : undefined;
    };
    const record = await records('REST', 'ehr').record(HELEN, never);
    expect(record.studies).toHaveLength(15);
  });
});
