import { Client } from 'fhir-kit-client';
import type { Bundle, Patient } from 'fhir/r4.js';
import { afterAll, beforeAll, expect } from 'vitest';
import { DEMO_PATIENT } from '../../pages/first-request.ts';
import { testAbilities } from './abilities.ts';
import { startDemoGateway, type DemoGateway } from './demo-gateway.ts';

let gateway: DemoGateway;
let client: Client;
beforeAll(async () => {
  gateway = await startDemoGateway();
  client = new Client({ baseUrl: `${gateway.tenant}/fhir`, bearerToken: await gateway.token() });
}, 120_000);
afterAll(() => gateway?.close());

const patient = { resourceType: 'Patient', id: DEMO_PATIENT };
const entries = (bundle: unknown) => (bundle as Bundle).entry ?? [];
const idsOf = (bundle: unknown) => entries(bundle).map(({ resource }) => resource!.id);
const version = async () => ((await client.read(patient)) as Patient).meta?.versionId;

testAbilities('fhir-kit-client', {
  'finds the endpoints for sign-in': async () => {
    const { authorizeUrl, tokenUrl } = await client.smartAuthMetadata();
    expect([String(authorizeUrl), String(tokenUrl)]).toEqual([
      `${gateway.tenant}/oauth/authorize`,
      `${gateway.tenant}/oauth/token`,
    ]);
  },
  'reads the CapabilityStatement': async () => {
    const statement = await client.capabilityStatement();
    expect(statement).toMatchObject({ resourceType: 'CapabilityStatement', fhirVersion: '4.0.1' });
  },
  'reads a resource': async () => {
    expect(await client.read(patient)).toMatchObject(patient);
  },
  'reads a version': async () => {
    expect(await client.vread({ ...patient, version: (await version())! })).toMatchObject(patient);
  },
  'reads the history': async () => {
    const history = await client.resourceHistory(patient);
    expect(history).toMatchObject({ resourceType: 'Bundle', type: 'history', total: 1 });
  },
  searches: async () => {
    const found = await client.search({ resourceType: 'Condition', searchParams: { patient: DEMO_PATIENT } });
    expect(entries(found).length).toBeGreaterThan(0);
  },
  'searches by POST': async () => {
    const searchParams = { patient: DEMO_PATIENT };
    const [got, posted] = await Promise.all([
      client.resourceSearch({ resourceType: 'Condition', searchParams }),
      client.resourceSearch({ resourceType: 'Condition', searchParams, options: { postSearch: true } }),
    ]);
    expect(idsOf(posted)).toEqual(idsOf(got));
  },
  'follows pages': async () => {
    const searchParams = { patient: DEMO_PATIENT };
    const all = await client.search({ resourceType: 'Observation', searchParams });
    const ids: unknown[] = [];
    let page: unknown = await client.search({
      resourceType: 'Observation',
      searchParams: { ...searchParams, _count: 5 },
    });
    while (page) {
      ids.push(...idsOf(page));
      page = await client.nextPage({ bundle: page as never });
    }
    expect(ids.length).toBeGreaterThan(5);
    expect(ids.slice(0, entries(all).length)).toEqual(idsOf(all));
  },
  'searches a compartment': async () => {
    const found = await client.compartmentSearch({ resourceType: 'Condition', compartment: patient });
    expect(entries(found).length).toBeGreaterThan(0);
  },
  'includes referenced resources': async () => {
    const searchParams = { patient: DEMO_PATIENT, _include: 'Condition:patient' };
    const found = await client.search({ resourceType: 'Condition', searchParams });
    expect(idsOf(found)).toContain(DEMO_PATIENT);
  },
  'finds images (ImagingStudy)': async () => {
    const searchParams = { patient: DEMO_PATIENT };
    const found = await client.search({ resourceType: 'ImagingStudy', searchParams });
    expect(entries(found).length).toBeGreaterThan(0);
  },
  'reads everything of a patient': async () => {
    const everything = await client.operation({ ...patient, name: '$everything', method: 'GET' });
    const types = new Set(entries(everything).map(({ resource }) => resource!.resourceType));
    expect([...types]).toEqual(expect.arrayContaining(['Patient', 'Condition', 'ImagingStudy']));
  },
  'sends a batch': async () => {
    const urls = [`Patient/${DEMO_PATIENT}`, `Condition?patient=${DEMO_PATIENT}`, 'Patient/nobody'];
    const body = {
      resourceType: 'Bundle',
      type: 'batch',
      entry: urls.map((url) => ({ request: { method: 'GET', url } })),
    };
    const answer = await client.batch({ body: body as never });
    expect(answer).toMatchObject({ type: 'batch-response' });
    expect(entries(answer).map(({ response }) => response?.status.slice(0, 3))).toEqual([
      '200',
      '200',
      '403',
    ]);
  },
});
