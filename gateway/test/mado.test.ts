/** `ImagingStudy/{id}/$mado` of the demonstration (IA-47), in one process and in three. */
import type { Bundle, CapabilityStatement, Endpoint, ImagingStudy, Patient } from 'fhir/r4.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const OTHER = 'demo-george-whitfield';
const ABSENT = '1.2.3';

describe.each([
  ['one process', false],
  ['three processes', true],
])('IA-47 %s', (_how, split) => {
  let ehr: AuthorizationServer;
  let gateway: TestGateway;
  let events: AuditEvent[] = [];
  let own: string[];
  let foreign: string;

  beforeAll(async () => {
    ehr = await authorizationServer();
    const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
    const organization = { name: 'Demonstration hospital' };
    gateway = await buildTestGateway(
      ({ images, patients }) => {
        const folder = { type: 'folder', path: images, lookup: 'studies-by-mrn' };
        const shared = { authorization, clinical: { type: 'store', path: patients }, organization };
        return {
          own: { ...shared, images: folder },
          capability: { ...shared, images: { ...folder, retrieve: 'bearer-capability' } },
          all: { ...shared, authorization: { type: 'mock', disableAuthzChecks: true }, images: folder },
        };
      },
      undefined,
      (_tenant, event) => events.push(event),
      { split },
    );
    const person = (await get<Patient>('/all/fhir/Patient/' + DEMO_PATIENT)).body;
    ehr.patients.set(DEMO_PATIENT, { ...person });
    const exp = Math.floor(Date.now() / 1000) + 3600;
    const launched = { client_id: 'app', exp, patient: DEMO_PATIENT };
    ehr.tokens.set('good', { ...launched, scope: 'patient/*.rs' });
    ehr.tokens.set('images', { ...launched, scope: 'patient/ImagingStudy.rs' });
    own = await studiesOf(DEMO_PATIENT);
    [foreign = ''] = await studiesOf(OTHER);
  }, 120_000);
  afterAll(async () => {
    await gateway?.close();
    await ehr?.close();
  });

  const get = async <Type>(url: string, token = 'good', more: object = {}) => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await gateway.app.inject({ url, headers, ...more });
    return { status: answer.statusCode, text: answer.body, body: answer.json<Type>() };
  };
  const studiesOf = async (patient: string) => {
    const { body } = await get<Bundle>(`/all/fhir/ImagingStudy?patient=${patient}&_elements=id`);
    return body.entry!.flatMap(({ resource, search }) => (search?.mode === 'match' ? [resource!.id!] : []));
  };
  const resource = <Type>(bundle: Bundle, type: string) =>
    bundle.entry!.find(({ resource }) => resource!.resourceType === type)!.resource as Type;

  test('each study with images has its manifest: all series and instances, the patient of the record', async () => {
    let manifests = 0;
    for (const id of own) {
      const study = (await get<ImagingStudy>(`/own/fhir/ImagingStudy/${id}`)).body;
      const { status, body } = await get<Bundle>(`/own/fhir/ImagingStudy/${id}/$mado`);
      // A study that only the record has cannot be retrieved.
      expect([id, status]).toEqual([id, study.endpoint ? 200 : 404]);
      if (status !== 200) continue;
      manifests += 1;
      const listed = ({ series = [] }: ImagingStudy) =>
        series.flatMap(({ uid, instance = [] }) => instance.map((one) => `${uid} ${one.uid}`));
      expect(listed(resource<ImagingStudy>(body, 'ImagingStudy'))).toEqual(listed(study));
      const { name, telecom, ...patient } = resource<Patient>(body, 'Patient');
      expect(patient).toMatchObject({
        id: DEMO_PATIENT,
        birthDate: ehr.patients.get(DEMO_PATIENT)!['birthDate'],
      });
      expect([name, telecom]).toEqual([ehr.patients.get(DEMO_PATIENT)!['name'], undefined]);
    }
    expect(manifests).toBeGreaterThan(1);
  });

  test('a token for images alone gets the patient as the images state it', async () => {
    const { status, body } = await get<Bundle>(`/own/fhir/ImagingStudy/${own[0]}/$mado`, 'images');
    expect(status).toBe(200);
    expect(resource<Patient>(body, 'Patient').name).toEqual([{ text: expect.any(String) as unknown }]);
  });

  test('IA-7 another patient’s study is like an absent one; the refusal and the read are audited', async () => {
    events = [];
    const of = (id: string) => get(`/own/fhir/ImagingStudy/${id}/$mado`);
    const [refused, absent] = [await of(foreign), await of(ABSENT)];
    expect([refused.status, refused.text]).toEqual([404, absent.text]);
    await of(own[0]!);
    const ofStudies = events.filter(({ type }) => type === 'ImagingStudy');
    expect(ofStudies.map(({ action, study, outcome }) => [action, study, outcome.kind])).toEqual([
      ['read', foreign, 'denied'],
      ['read', ABSENT, 'denied'],
      ['read', own[0], 'allowed'],
    ]);
  });

  test('IA-25 its endpoints are those of the tenant: by capability where the tenant wants it', async () => {
    const { body } = await get<Bundle>(`/capability/fhir/ImagingStudy/${own[0]}/$mado`);
    const endpoints = body.entry!.filter(({ resource }) => resource!.resourceType === 'Endpoint');
    const addresses = endpoints.map(({ resource }) => (resource as Endpoint).address);
    expect(new Set(addresses).size).toBe(1);
    const path = `${new URL(addresses[0]!).pathname}/studies/${own[0]}/metadata`;
    const opened = await gateway.app.inject({ url: path, headers: { accept: 'application/dicom+json' } });
    expect(opened.statusCode).toBe(200);
  });

  test('it is in a batch and in the CapabilityStatement, whose link leads to its definition', async () => {
    const entry = [{ request: { method: 'GET', url: `ImagingStudy/${own[0]}/$mado` } }];
    const payload = { resourceType: 'Bundle', type: 'batch', entry };
    const batch = await get<Bundle>('/own/fhir', 'good', { method: 'POST', payload });
    expect(batch.body.entry![0]!.resource).toMatchObject({ resourceType: 'Bundle', type: 'document' });
    const { body } = await get<CapabilityStatement>('/own/fhir/metadata');
    const { operation } = body.rest![0]!.resource!.find(({ type }) => type === 'ImagingStudy')!;
    expect(operation).toMatchObject([{ name: 'mado' }]);
    const { pathname } = new URL(operation![0]!.definition);
    expect((await gateway.app.inject(pathname)).json()).toMatchObject({
      resourceType: 'OperationDefinition',
      url: operation![0]!.definition,
      code: 'mado',
    });
  });
});
