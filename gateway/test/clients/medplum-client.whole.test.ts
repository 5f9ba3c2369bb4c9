import { MedplumClient } from '@medplum/core';
import type { Bundle } from 'fhir/r4.js';
import { afterAll, beforeAll, expect } from 'vitest';
import { DEMO_PATIENT } from '../../pages/first-request.ts';
import { testAbilities } from './abilities.ts';
import { startDemoGateway, type DemoGateway } from './demo-gateway.ts';

let gateway: DemoGateway;
let client: MedplumClient;
beforeAll(async () => {
  gateway = await startDemoGateway();
  client = await signedIn();
}, 120_000);
afterAll(() => gateway?.close());

async function signedIn(): Promise<MedplumClient> {
  const baseUrl = `${gateway.tenant}/`;
  const accessToken = await gateway.token();
  return new MedplumClient({
    baseUrl,
    fhirUrlPath: 'fhir/',
    tokenUrl: `${gateway.tenant}/oauth/token`,
    accessToken,
    // Its own cache would answer without the server.
    cacheTime: 0,
  });
}

const entries = (bundle: unknown) => (bundle as Bundle).entry ?? [];
const typesOf = (bundle: unknown) => [
  ...new Set(entries(bundle).map(({ resource }) => resource!.resourceType as string)),
];
const ofPatient = { patient: `Patient/${DEMO_PATIENT}` };

testAbilities('MedplumClient', {
  'reads the CapabilityStatement': async () => {
    const statement = (await client.get(client.fhirUrl('metadata'))) as object;
    expect(statement).toMatchObject({ resourceType: 'CapabilityStatement' });
  },
  'reads a resource': async () => {
    expect(await client.readResource('Patient', DEMO_PATIENT)).toMatchObject({ id: DEMO_PATIENT });
  },
  'reads a version': async () => {
    const { meta } = await client.readResource('Patient', DEMO_PATIENT);
    const version = await client.readVersion('Patient', DEMO_PATIENT, meta!.versionId!);
    expect(version).toMatchObject({ id: DEMO_PATIENT });
  },
  'reads the history': async () => {
    expect(entries(await client.readHistory('Patient', DEMO_PATIENT))).toHaveLength(1);
  },
  searches: async () => {
    expect((await client.searchResources('Condition', ofPatient)).length).toBeGreaterThan(0);
  },
  'follows pages': async () => {
    let found = 0;
    for await (const page of client.searchResourcePages('Observation', { ...ofPatient, _count: 5 }))
      found += page.length;
    const all = await client.searchResources('Observation', { ...ofPatient, _count: 1000 });
    expect(all.length).toBeGreaterThan(5);
    expect(found).toBe(all.length);
  },
  'includes referenced resources': async () => {
    const bundle = await client.search('Condition', { ...ofPatient, _include: 'Condition:patient' });
    expect(typesOf(bundle)).toContain('Patient');
  },
  'finds images (ImagingStudy)': async () => {
    const studies = await client.searchResources('ImagingStudy', ofPatient);
    expect(studies.length).toBeGreaterThan(0);
  },
  'reads everything of a patient': async () => {
    const everything = await client.readPatientEverything(DEMO_PATIENT);
    expect(typesOf(everything)).toEqual(expect.arrayContaining(['Patient', 'Condition', 'ImagingStudy']));
  },
  'sends a batch': async () => {
    const answer = await client.executeBatch({
      resourceType: 'Bundle',
      type: 'batch',
      entry: [{ request: { method: 'GET', url: `Patient/${DEMO_PATIENT}` } }],
    });
    expect(entries(answer)[0]).toMatchObject({ resource: { id: DEMO_PATIENT } });
  },
  'queries by GraphQL': async () => {
    const query = `{ Patient(id: "${DEMO_PATIENT}") { birthDate ImagingStudyList { id } } }`;
    const { data } = (await client.graphql(query)) as { data: { Patient: { ImagingStudyList: object[] } } };
    expect(data.Patient.ImagingStudyList.length).toBeGreaterThan(0);
  },
  'exports in bulk': async () => {
    const { output } = (await client.bulkExport('Patient', 'Patient,Condition', undefined, {
      pollStatusOnAccepted: true,
    })) as { output: { type: string }[] };
    expect(output.map(({ type }) => type)).toEqual(expect.arrayContaining(['Patient', 'Condition']));
  },
});
