/** Our gateway in other configurations than that of the demonstration: forms of Endpoints, an EHR, Orthanc behind it. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../../gateway/pages/first-request.ts';
import { authorizationServer, type AuthorizationServer } from '../../gateway/test/authorization-server.ts';
import { DEMO_IMAGES } from '../../gateway/test/setup/demo-images.ts';
import { freePort } from '../../gateway/test/setup/free-port.ts';
import { startOrthanc, type Orthanc } from '../../gateway/test/setup/orthanc.ts';
import { buildTestGateway, type TestGateway } from '../../gateway/test/test-gateway.ts';
import { run } from '../run.ts';

/** PatientID of the demonstration's images of the patient. */
const RECORD_NUMBER = '293ee354-f8ad-4345-b10c-759fdfdcc082';
const OTHER_PATIENT = 'demo-maria-alvarez';

let ehr: AuthorizationServer;
let orthanc: Orthanc;
let gateway: TestGateway;
let otherStudy: string;

beforeAll(async () => {
  const files = (await readdir(DEMO_IMAGES, { recursive: true })).filter((name) => name.endsWith('.dcm'));
  ehr = await authorizationServer();
  orthanc = await startOrthanc({ files: files.map((name) => join(DEMO_IMAGES, name)) });
  const { dicomWebUrl: endpoint, username, password, authorization } = orthanc;
  gateway = await buildTestGateway(
    ({ images: path, patients }) => {
      const folder = { type: 'folder', path, lookup: 'studies-by-mrn' };
      const archive = { type: 'dicom-web', endpoint, lookup: 'studies-by-mrn' };
      const tenant = (images: object) => ({
        authorization: { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client },
        clinical: { type: 'store', path: patients },
        images,
      });
      return {
        contained: tenant(folder),
        included: tenant({ ...folder, endpointStyle: 'included' }),
        capability: tenant({ ...folder, retrieve: 'capability' }),
        bearer: tenant({ ...folder, retrieve: 'bearer-capability' }),
        orthanc: tenant({ ...archive, authentication: { type: 'http-basic', username, password } }),
      };
    },
    undefined,
    undefined,
    { port: await freePort() },
  );
  const type = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'MR' }] };
  ehr.patients.set(DEMO_PATIENT, {
    resourceType: 'Patient',
    id: DEMO_PATIENT,
    identifier: [{ type, value: RECORD_NUMBER }],
  });
  const launched = { client_id: 'app', patient: DEMO_PATIENT, exp: Math.floor(Date.now() / 1000) + 3600 };
  ehr.tokens.set('whole', { ...launched, scope: 'patient/*.rs' });
  ehr.tokens.set('narrow', { ...launched, scope: 'patient/Patient.rs' });
  const search = await fetch(`${endpoint}/studies?includefield=00100020`, { headers: { authorization } });
  const rows = (await search.json()) as Record<string, { Value: string[] }>[];
  otherStudy = rows.find((row) => row['00100020']?.Value[0] !== RECORD_NUMBER)!['0020000D']!.Value[0]!;
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await orthanc?.stop();
  await ehr?.close();
});

const NO_BACKEND = ['IA-3/backend-services', 'IA-3/system-scope'];
/** A capability is the address of one study: it cannot be searched, and opens no other. */
const ONE_STUDY = [
  'IA-23/search-within-grant',
  'DW-1/levels',
  'DW-2/matching',
  'DW-2/limit-and-offset',
  'DW-1/not-acceptable',
  'DW-3/unknown-key-not-wider',
  'DW-3/unknown-key-told',
  'DW-4/retrieve-url',
  'DW-12/absent-study',
  'DW-12/bad-uid',
];

test.each<[tenant: string, skipped: string[]]>([
  ['contained', NO_BACKEND],
  ['included', NO_BACKEND],
  ['orthanc', NO_BACKEND],
  ['capability', [...NO_BACKEND, ...ONE_STUDY]],
  [
    'bearer',
    [...NO_BACKEND, 'IA-23/retrieval-without-token', 'IA-23/retrieval-with-bad-token', ...ONE_STUDY],
  ],
])('%s: conforms', async (tenant, skipped) => {
  const { results } = await run({
    base: `${gateway.baseUrl}/${tenant}/fhir`,
    token: 'whole',
    narrowToken: 'narrow',
    grant: 'patient',
    patient: DEMO_PATIENT,
    otherPatient: OTHER_PATIENT,
    otherStudy,
    headers: {},
    only: ['IA', 'DW'],
    timeout: 20_000,
  });
  const others = results.filter(({ status }) => status !== 'passed');
  expect(others.map(({ id, name, status, found }) => [`${id}/${name}`, status, found])).toEqual(
    skipped.map((check) => [check, 'skipped', expect.any(String)]),
  );
});
