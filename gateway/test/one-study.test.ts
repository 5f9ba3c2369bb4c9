/** One ImagingStudy of what the record and an archive have (IA-34): by either id, by REST and by GraphQL. */
import type { Bundle, ImagingStudy } from 'fhir/r4.js';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logger } from '../http/observe.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { archiveObjects, INSTANCES, recordResources, SAID, uidOf } from './setup/one-study.ts';

let ehr: AuthorizationServer;
let gateway: TestGateway;
let directory: string;
let logged = '';
let contradictions = 0;

beforeAll(async () => {
  ehr = await authorizationServer();
  directory = await mkdtemp(join(tmpdir(), 'one-study-'));
  await mkdir(join(directory, 'images'));
  for (const [name, bytes] of Object.entries(archiveObjects()))
    await writeFile(join(directory, 'images', name), bytes);
  const ndjson = recordResources().map((one) => JSON.stringify(one));
  await writeFile(join(directory, 'record.ndjson'), ndjson.join('\n'));
  const smart = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const everybody = { type: 'mock', disableAuthzChecks: true };
  const clinical = { type: 'store', path: join(directory, 'record.ndjson') };
  const images = { type: 'folder', path: join(directory, 'images'), lookup: 'studies-by-mrn' };
  const away = { type: 'dicom-web', endpoint: 'http://127.0.0.1:1/', lookup: 'studies-by-mrn' };
  const withhold = [{ studyUid: [uidOf('withheld')] }, { modality: ['MG'] }, { security: ['R'] }];
  const log = logger(
    'info',
    new Writable({ write: (chunk: Buffer, _, done) => void ((logged += String(chunk)), done()) }),
  );
  gateway = await buildTestGateway(
    () => ({
      own: { authorization: smart, clinical, images },
      all: { authorization: everybody, clinical, images },
      withholding: { authorization: { ...smart, withhold }, clinical, images },
      away: { authorization: smart, clinical, images: away },
      'away and withholding': { authorization: { ...smart, withhold }, clinical, images: away },
      delayed: { authorization: smart, clinical, images: { ...images, delay: { lookupUntil: 9e9 } } },
    }),
    { images: '', patients: '' },
    undefined,
    { log, onContradiction: () => void contradictions++ },
  );
  await gateway.indexed();
  for (const id of ['p', 'q']) {
    const identifier = [{ value: `MRN-${id}`, type: { coding: [{ code: 'MR' }] } }];
    ehr.patients.set(id, { resourceType: 'Patient', id, identifier });
    const exp = Math.floor(Date.now() / 1000) + 3600;
    ehr.tokens.set(id, { client_id: 'app', exp, patient: id, scope: 'patient/*.rs' });
    ehr.tokens.set(`${id}-reading`, { client_id: 'app', exp, patient: id, scope: 'patient/*.r' });
    ehr.tokens.set(`${id}-MG`, {
      client_id: 'app',
      exp,
      patient: id,
      scope: 'patient/ImagingStudy.rs?modality=MG',
    });
  }
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  await rm(directory, { recursive: true, force: true });
});

async function rest(tenant: string, path: string, token = 'p') {
  const headers = { authorization: `Bearer ${token}` };
  const url = `/${encodeURIComponent(tenant)}/fhir/${path}`;
  const answer = await gateway.app.inject({ url, headers });
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: answer.json<Omit<ImagingStudy, 'resourceType'> & Pick<Bundle, 'entry'>>(),
  };
}

interface Answer {
  data: Record<string, unknown> | null;
  errors?: { path: unknown[]; extensions: { code: string; service?: string } }[];
}

async function graphql(tenant: string, query: string, token = 'p') {
  const headers = { authorization: `Bearer ${token}` };
  const url = `/${encodeURIComponent(tenant)}/graphql`;
  return (await gateway.app.inject({ method: 'POST', url, headers, payload: { query } })).json<Answer>();
}

const FIELDS = `id status identifier { value } subject { reference } reasonCode { text } note { text }
  procedureCode { text } basedOn { reference } referrer { reference } encounter { reference } meta { source }
  endpoint { reference } numberOfInstances series { uid wadoUrl thumbnailUrl rows instance { uid rows } }`;

interface Read {
  id: string;
  status: string;
  note: { text: string }[] | null;
  endpoint: unknown[] | null;
  numberOfInstances: number | null;
}

/** Reads a study by REST and by GraphQL, which have to agree; undefined when there is none. */
async function read(tenant: string, id: string, token = 'p'): Promise<Read | undefined> {
  const byRest = await rest(tenant, `ImagingStudy/${id}`, token);
  const { data, errors } = await graphql(tenant, `{ ImagingStudy(id: "${id}") { ${FIELDS} } }`, token);
  const inGraph = data?.['ImagingStudy'] as Read | null;
  if (byRest.status !== 200) {
    expect([byRest.status, inGraph, errors?.[0]?.extensions.code]).toEqual([404, null, 'not_found']);
    return undefined;
  }
  const { body } = byRest;
  expect(errors).toBeUndefined();
  expect(inGraph).toMatchObject({
    ...{ id: body.id, status: body.status, note: body.note ?? null },
    endpoint: body.endpoint?.map(({ reference }) => ({ reference })) ?? null,
    subject: { reference: body.subject.reference },
  });
  expect(JSON.stringify(body)).not.toContain('elsewhere');
  return inGraph!;
}

/** Lists the studies of a patient by REST and by GraphQL, which have to agree: what is shown of each, by id. */
async function list(tenant: string, patient = 'p', token = patient): Promise<Record<string, string>> {
  const { body } = await rest(tenant, `ImagingStudy?patient=${patient}`, token);
  const query = `{ Patient(id: "${patient}") { ImagingStudyList { ${FIELDS} } } }`;
  const { data } = await graphql(tenant, query, token);
  const inGraph = (data!['Patient'] as { ImagingStudyList: Read[] }).ImagingStudyList;
  const entries = (body.entry ?? []).flatMap(({ resource, search }) =>
    search?.mode === 'match' ? [resource as ImagingStudy] : [],
  );
  expect(inGraph.map(({ id }) => id)).toEqual(entries.map(({ id }) => id));
  return Object.fromEntries(inGraph.map((one) => [one.id, shown(one)]));
}

/** Says which halves of a study are shown. */
function shown({ endpoint, status, numberOfInstances }: Read): string {
  const images = endpoint && numberOfInstances === INSTANCES ? ' with images' : '';
  return `${status}${endpoint && !images ? ' with an endpoint' : images}`;
}

test('IA-34 what the record says stands beside the series of the archive', async () => {
  const { body } = await rest('own', 'ImagingStudy/Rboth');
  const UID = uidOf('both');
  expect(body).toMatchObject({
    ...{ ...SAID, id: UID, status: 'available', description: 'DICOM both', numberOfInstances: INSTANCES },
    ...{
      meta: { source: 'urn:ris', lastUpdated: '2098-12-31T23:00:00.000Z' },
      subject: { reference: 'Patient/p' },
    },
    basedOn: [...SAID.basedOn, { identifier: { value: 'A1' } }],
    endpoint: [{ reference: '#e' }],
    contained: [{ resourceType: 'Endpoint', address: 'http://localhost/own/dicomweb' }],
    series: [{ uid: `${UID}.1`, instance: [{}, {}] }],
  });
  expect(body.identifier!.map(({ value }) => value)).toEqual([`urn:oid:${UID}`, 'A1', 'record Rboth']);
});

test.each<[id: string, shown: string | undefined, token?: string]>([
  [uidOf('both'), 'available with images'],
  ['Rboth', 'available with images'],
  ['Rboth', 'available with images', 'p-reading'],
  ['Rboth', undefined, 'q'],
  [uidOf('archived'), 'available with images'],
  [uidOf('error with images'), 'entered-in-error with images'],
  ['Rcancelled', 'cancelled with images'],
  ['Rregistered', 'available with images'],
  ...(['registered', 'available', 'cancelled', 'entered-in-error', 'unknown'] as const).flatMap(
    (status): [string, string][] => [
      [uidOf(status), status],
      [`only-${status}`, status],
    ],
  ),
  [uidOf('registered'), undefined, 'q'],
  ['Rbare', 'available'],
  ['Raccession', 'available with images'],
  [uidOf('accession'), 'available with images'],
  ['Rtwin', 'available'],
  [uidOf('twin 1'), 'available with images'],
  // Each half for its own patient, and not the other one.
  [uidOf('archive of q'), 'available'],
  ['Rarchive-of-q', 'available'],
  [uidOf('archive of q'), 'available with images', 'q'],
  ['Rarchive-of-q', undefined, 'q'],
  [uidOf('record of q'), 'available with images'],
  ['Rrecord-of-q', undefined],
  [uidOf('record of q'), 'available', 'q'],
  ['Rof-q', undefined],
  [uidOf('of q'), undefined],
  ['nothing', undefined],
  ['1.2.34.99', undefined],
])('IA-34 %s is read as %s (token %s)', async (id, expected, token = 'p') => {
  const found = await read('own', id, token);
  expect(found && shown(found)).toBe(expected);
});

describe('IA-34 lists', () => {
  const OF_P = {
    ...{ [uidOf('both')]: 'available with images', [uidOf('archived')]: 'available with images' },
    ...{ [uidOf('archive of q')]: 'available', [uidOf('record of q')]: 'available with images' },
    ...{ [uidOf('withheld')]: 'available with images', [uidOf('accession')]: 'available with images' },
    ...{
      [uidOf('twin 1')]: 'available with images',
      [uidOf('twin 2')]: 'available with images',
      Rtwin: 'available',
    },
    [uidOf('error with images')]: 'entered-in-error with images',
    [uidOf('cancelled with images')]: 'cancelled with images',
    [uidOf('registered with images')]: 'available with images',
    ...{ [uidOf('registered')]: 'registered', [uidOf('available')]: 'available' },
    ...{ [uidOf('cancelled')]: 'cancelled', [uidOf('entered-in-error')]: 'entered-in-error' },
    ...{ [uidOf('unknown')]: 'unknown', [uidOf('labelled')]: 'available' },
    ...{ [uidOf('mammography')]: 'available', Rbare: 'available' },
    [uidOf('disputed')]: 'available with images',
  };

  test('each study once, with what is there of it', async () => {
    expect(await list('own')).toEqual(OF_P);
  });

  test('the other patient has the other halves', async () => {
    expect(await list('own', 'q')).toEqual({
      ...{ [uidOf('archive of q')]: 'available with images', [uidOf('record of q')]: 'available' },
      [uidOf('of q')]: 'available',
    });
  });

  test('who may see both patients sees two resources, and each contradiction is logged and counted', async () => {
    contradictions = 0;
    logged = '';
    const all = await rest('all', 'ImagingStudy?_count=100');
    const ids = all.body.entry!.map(({ resource }) => resource!.id!);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining(['Rarchive-of-q', uidOf('archive of q'), 'Rrecord-of-q']));
    const notes = all.body.entry!.map(({ resource }) => [
      resource!.id,
      (resource as ImagingStudy).note?.[0]?.text,
    ]);
    expect(notes).toContainEqual([uidOf('archive of q'), undefined]);
    expect(notes).toContainEqual(['Rarchive-of-q', 'of p']);
    expect(contradictions).toBe(2);
    expect(logged.match(/name different patients/g)).toHaveLength(2);
    expect(logged).not.toMatch(/MRN-|Patient\//);
  });

  test('of one patient, for who may see all', async () => {
    const { [uidOf('archive of q')]: _, ...others } = OF_P;
    expect(await list('all', 'p')).toEqual({ ...others, 'Rarchive-of-q': 'available' });
  });

  test.each([
    ['_id=Rboth', [uidOf('both')]],
    ['_id=Rbare', ['Rbare']],
    [`identifier=urn:oid:${uidOf('registered')}`, [uidOf('registered')]],
    [`identifier=urn:oid:${uidOf('accession')}`, [uidOf('accession')]],
    ['identifier=urn:record|record Rboth', [uidOf('both')]],
    ['status=cancelled', [uidOf('cancelled with images'), uidOf('cancelled')]],
    ['basedon=ServiceRequest/order', [uidOf('both')]],
    ['modality=MG', [uidOf('mammography'), uidOf('disputed')]],
    ['_lastUpdated=ge2098-01-01&status=available&_id=Rboth,Raccession', [uidOf('both')]],
  ])('%s finds %j', async (query, expected) => {
    for (const tenant of ['own', 'all']) {
      const { body } = await rest(tenant, `ImagingStudy?${query}`);
      expect((body.entry ?? []).map(({ resource }) => resource!.id).sort()).toEqual([...expected].sort());
    }
  });
});

test('FG-9 a report finds its study by its reference into the record', async () => {
  const query = (id: string) =>
    `{ DiagnosticReport(id: "${id}") { imagingStudy { resource { ... on ImagingStudy { id note { text } series { uid } } } } } }`;
  expect(await graphql('own', query('report'))).toEqual({
    data: {
      DiagnosticReport: {
        imagingStudy: [
          { resource: { id: uidOf('both'), note: SAID.note, series: [{ uid: `${uidOf('both')}.1` }] } },
        ],
      },
    },
  });
  expect(await graphql('own', query('bare'))).toEqual({
    data: {
      DiagnosticReport: {
        imagingStudy: [{ resource: { id: 'Rbare', note: [{ text: 'no UID' }], series: null } }],
      },
    },
  });
});

test('FG-3 the order and the referrer of the record are followed into the record', async () => {
  const query = `{ ImagingStudy(id: "Rboth") { basedOn { resource { ... on ServiceRequest { status } } } } }`;
  expect(await graphql('own', query)).toMatchObject({
    data: { ImagingStudy: { basedOn: [{ resource: { status: 'active' } }, { resource: null }] } },
  });
});

test.each([
  ['withheld', 'Rwithheld'],
  ['labelled', 'Rlabelled'],
  ['mammography', 'Rmammography'],
  // The record does not say its modality, which may be the one that is withheld.
  ['registered', 'only-registered'],
] as const)('IA-31 %s is withheld, and does not appear through its other half', async (name, recordId) => {
  for (const id of [uidOf(name), recordId]) expect(await read('withholding', id)).toBeUndefined();
  expect(Object.keys(await list('withholding'))).not.toContain(uidOf(name));
});

test('SM-5 a granular scope counts for each half', async () => {
  const { body } = await rest('own', 'ImagingStudy?patient=p', 'p-MG');
  expect(body.entry!.map(({ resource }) => resource!.id)).toEqual([uidOf('mammography')]);
  for (const id of [uidOf('disputed'), 'Rdisputed', uidOf('both'), 'Rboth'])
    expect(await read('own', id, 'p-MG')).toBeUndefined();
});

describe('IA-34 an archive that is away', () => {
  test('leaves the halves of the record, with an outcome that says so', async () => {
    const { status, body } = await rest('away', 'ImagingStudy?patient=p');
    expect(status).toBe(200);
    const [outcome] = body.entry!.filter(({ search }) => search?.mode === 'outcome');
    expect(outcome!.resource).toMatchObject({ issue: [{ code: 'transient' }] });
    const both = body.entry!.find(({ resource }) => resource!.id === uidOf('both'))!.resource as ImagingStudy;
    expect(both).toMatchObject(SAID);
    expect(both.endpoint).toBeUndefined();
    const { data, errors } = await graphql('away', '{ Patient(id: "p") { ImagingStudyList { id } } }');
    expect(data!['Patient']).toMatchObject({ ImagingStudyList: { length: body.entry!.length - 1 } });
    expect(errors).toMatchObject([{ extensions: { code: 'unavailable', service: 'imaging' } }]);
  });

  test.each([uidOf('both'), 'Rboth'])('%s is read with a warning', async (id) => {
    const { status, body, headers } = await rest('away', `ImagingStudy/${id}`);
    expect([status, body.id, body.endpoint]).toEqual([200, uidOf('both'), undefined]);
    expect(String(headers['warning'])).toMatch(/did not answer/);
    const { data, errors } = await graphql('away', `{ ImagingStudy(id: "${id}") { id } }`);
    expect([data, errors?.[0]?.extensions.code]).toEqual([
      { ImagingStudy: { id: uidOf('both') } },
      'unavailable',
    ]);
  });

  test.each(['away and withholding', 'delayed'])(
    '%s: nothing is shown that the archive might refuse',
    async (tenant) => {
      expect((await rest(tenant, 'ImagingStudy?patient=p')).status).toBe(503);
      for (const id of [uidOf('both'), 'Rboth'])
        expect((await rest(tenant, `ImagingStudy/${id}`)).status).toBe(503);
    },
  );
});
