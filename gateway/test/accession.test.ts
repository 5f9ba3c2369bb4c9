import type { Resource } from 'fhir/r4.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Fault } from '../../schema/fault/fault.ts';
import { accessionNumbersOf } from '../joins/accessions.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/**
 * Studies found by the accession numbers of the record (DW-19), and several sources (DW-18), through the whole
 * gateway.
 */

const GEORGE = 'demo-george-whitfield';
const MARIA = 'demo-maria-alvarez';
let ehr: AuthorizationServer;
let gateway: TestGateway;

beforeAll(async () => {
  ehr = await authorizationServer();
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const everybody = { type: 'mock', disableAuthzChecks: true };
  gateway = await buildTestGateway(({ images, patients }) => {
    const clinical = { type: 'store', path: patients };
    const folder = { type: 'folder', path: images };
    const dead = { type: 'dicom-web', endpoint: 'http://127.0.0.1:1/dicom-web', lookup: 'studies-by-mrn' };
    return {
      mrn: { authorization, clinical, images: { ...folder, lookup: 'studies-by-mrn' } },
      accession: { authorization, clinical, images: { ...folder, lookup: 'studies-by-accession' } },
      issuer: {
        authorization,
        clinical,
        images: { ...folder, lookup: 'studies-by-accession', issuer: 'nobody' },
      },
      born: {
        authorization,
        clinical,
        images: { ...folder, lookup: 'studies-by-accession', matchBirthDate: true },
      },
      'no-record': {
        authorization,
        clinical: { type: 'none' },
        images: { ...folder, lookup: 'studies-by-accession' },
      },
      system: { authorization: everybody, clinical, images: { ...folder, lookup: 'studies-by-accession' } },
      half: { authorization, clinical, images: [{ ...folder, lookup: 'studies-by-mrn' }, dead] },
    };
  });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const mrn = { [GEORGE]: 'MRN-0019540', [MARIA]: 'MRN-0047111', 'nobody-here': 'NOBODY' };
  for (const [id, value] of Object.entries(mrn)) {
    const identifier = [{ value, type: { coding: [{ code: 'MR' }] } }];
    ehr.patients.set(id, { resourceType: 'Patient', id, identifier, birthDate: '1900-01-01' });
    // The scope does not cover orders: they are read for their numbers and never shown.
    ehr.tokens.set(id, { client_id: 'viewer', exp, patient: id, scope: 'patient/ImagingStudy.rs' });
  }
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
});

const get = (url: string, token = GEORGE) =>
  gateway.app.inject({ url, headers: { authorization: `Bearer ${token}` } });
const uids = async (url: string, token?: string) =>
  [
    ...new Set(
      (await get(url, token))
        .json<{ '0020000D': { Value: [string] } }[]>()
        .map((row) => row['0020000D'].Value[0]),
    ),
  ].sort();

describe('DW-19 studies by accession number', () => {
  test('are those of the patient, at every level, in every API', async () => {
    const own = await uids('/mrn/dicomweb/studies');
    expect(own.length).toBeGreaterThan(1);
    for (const level of ['studies', 'series', 'instances']) {
      expect(await uids(`/accession/dicomweb/${level}`), level).toEqual(own);
    }
    const bundle = (await get(`/accession/fhir/ImagingStudy?patient=${GEORGE}`)).json();
    expect(bundle.entry.map(({ resource }: { resource: { id: string } }) => resource.id).sort()).toEqual(own);
    expect(bundle.entry[0].resource.subject.reference).toContain(`Patient/${GEORGE}`);
    for (const uid of own) {
      expect((await get(`/accession/dicomweb/studies/${uid}/metadata`)).statusCode).toBe(200);
      expect(await uids(`/accession/dicomweb/studies/${uid}/series`)).toEqual([uid]);
    }
  });

  test('of another patient are refused: 404 by UID, 403 by PatientID (IA-7)', async () => {
    const [foreign] = await uids('/mrn/dicomweb/studies', MARIA);
    for (const tail of ['', '/metadata', '/series']) {
      const refused = await get(`/accession/dicomweb/studies/${foreign}${tail}`);
      const absent = await get(`/accession/dicomweb/studies/1.2.3.999${tail}`);
      expect([refused.statusCode, refused.payload]).toEqual([404, absent.payload]);
    }
    expect((await get('/accession/dicomweb/studies?PatientID=MRN-0047111')).statusCode).toBe(403);
    expect(await uids('/accession/dicomweb/studies?PatientID=MRN-0019540')).not.toEqual([]);
    expect(await uids('/accession/dicomweb/studies?AccessionNumber=RB24-087731')).toEqual([]);
    expect(await uids(`/accession/dicomweb/studies?StudyInstanceUID=${foreign}`)).toEqual([]);
  });

  test('come in pages like those of any other search', async () => {
    const own = await uids('/accession/dicomweb/studies');
    const pages = await Promise.all(
      own.map((_, offset) => uids(`/accession/dicomweb/studies?limit=1&offset=${offset}`)),
    );
    expect(pages.flat().sort()).toEqual(own);
  });

  test('a patient without accession numbers has no studies', async () => {
    for (const level of ['studies', 'series', 'instances']) {
      expect(await uids(`/accession/dicomweb/${level}`, 'nobody-here')).toEqual([]);
    }
    const [any] = await uids('/accession/dicomweb/studies');
    expect((await get(`/accession/dicomweb/studies/${any}`, 'nobody-here')).statusCode).toBe(404);
  });

  test('leaves out studies of another issuer or birth date', async () => {
    expect(await uids('/issuer/dicomweb/studies')).toEqual([]);
    expect(await uids('/born/dicomweb/studies')).toEqual([]);
  });

  test('answers 501 where the tenant has no clinical record', async () => {
    expect((await get('/no-record/dicomweb/studies')).statusCode).toBe(501);
  });

  test('a caller with access to all patients gets those of the patient it names', async () => {
    const bundle = (await get(`/system/fhir/ImagingStudy?patient=${GEORGE}`)).json();
    const own = await uids('/accession/dicomweb/studies');
    expect(bundle.entry.map(({ resource }: { resource: { id: string } }) => resource.id).sort()).toEqual(own);
  });
});

test('DW-18 GraphQL: data of the source that answered, and an error for the other with code, service and path', async () => {
  const answer = await gateway.app.inject({
    method: 'POST',
    url: '/half/graphql',
    headers: { authorization: `Bearer ${GEORGE}` },
    payload: { query: `{ Patient(id: "${GEORGE}") { id ImagingStudyList { id started } } }` },
  });
  const { data, errors } = answer.json();
  const listed = data.Patient.ImagingStudyList.map(({ id }: { id: string }) => id);
  expect(listed.sort()).toEqual(await uids('/mrn/dicomweb/studies'));
  expect(errors).toHaveLength(1);
  expect(errors[0].extensions).toMatchObject({ code: 'unavailable', service: 'imaging', retryAfter: 5 });
  expect(errors[0].path).toContain('ImagingStudyList');
});

describe('DW-19 accession numbers in a record', () => {
  const acsn = (value?: string) => ({ ...(value && { value }), type: { coding: [{ code: 'ACSN' }] } });
  const record = {
    ServiceRequest: [
      { resourceType: 'ServiceRequest', identifier: [acsn('A1'), { value: 'placer' }, acsn()] },
    ],
    DiagnosticReport: [
      { resourceType: 'DiagnosticReport', identifier: [acsn('A1')], basedOn: [{ identifier: acsn('A2') }] },
    ],
    ImagingStudy: [
      { resourceType: 'ImagingStudy', identifier: [acsn('A3')] },
      { resourceType: 'ImagingStudy' },
    ],
  };
  const refusing = (types: string[], code: Fault['code']) => async (type: string) => {
    if (types.includes(type)) throw new Fault(code, 'no');
    return { resources: record[type as keyof typeof record] as Resource[] };
  };
  const all = ['ServiceRequest', 'DiagnosticReport', 'ImagingStudy'];

  test.each<[string, string[], Fault['code'], string[] | Fault['code']]>([
    ['are of type ACSN, of a resource or of its order', [], 'forbidden', ['A1', 'A2', 'A3']],
    ['come from the types that the scope covers', ['DiagnosticReport'], 'insufficient_scope', ['A1', 'A3']],
    ['are refused where the scope covers none of the types', all, 'insufficient_scope', 'insufficient_scope'],
    [
      'are refused where one type fails: studies would be missed in silence',
      ['ImagingStudy'],
      'bad_gateway',
      'bad_gateway',
    ],
  ])('%s', async (_name, types, code, expected) => {
    const found = accessionNumbersOf(refusing(types, code), 'p');
    if (typeof expected === 'string') await expect(found).rejects.toMatchObject({ code: expected });
    else expect((await found).sort()).toEqual(expected);
  });

  test('are collected from all pages', async () => {
    const search = async (type: string, { cursor = '0' }: { cursor?: string }) => ({
      resources:
        type === 'ImagingStudy' ? [{ ...record['ImagingStudy'][0]!, identifier: [acsn(`P${cursor}`)] }] : [],
      ...(type === 'ImagingStudy' && cursor !== '3' && { next: String(Number(cursor) + 1) }),
    });
    expect(await accessionNumbersOf(search as never, 'p')).toEqual(['P0', 'P1', 'P2', 'P3']);
  });
});
