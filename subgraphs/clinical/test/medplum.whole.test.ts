/** A tenant over Medplum's FHIR router: the same answers as from the store over the same resources. */
import type { Bundle } from 'fhir/r4.js';
import type { LightMyRequestResponse } from 'fastify';
import { graphql } from 'graphql';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedFhirPatients,
} from '../../../gateway/test/setup/shared-data.ts';
import { testEach } from '../../../gateway/test/setup/usual-run.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { MedplumServer } from './medplum.ts';
import { resourcesOf, startMedplum } from './medplum.ts';
import { accessOf, fhirApp, startClinical, tenantOf } from './servers.ts';

const PATIENTS = 4;

describeWithSharedData('FG-7 a tenant over @medplum/fhir-router', () => {
  const people = sharedFhirPatients().slice(0, PATIENTS);
  const [ana] = people.map(({ patientId }) => patientId);
  let clinical: Awaited<ReturnType<typeof startClinical>>;
  let medplum: MedplumServer;
  let tenants: { medplum: Tenant; store: Tenant };

  beforeAll(async () => {
    clinical = await startClinical();
    const bundles = people.map(
      ({ file }) => JSON.parse(readFileSync(sharedDataPath('fhir', file), 'utf8')) as Bundle,
    );
    const resources = resourcesOf(bundles);
    medplum = await startMedplum(resources);
    tenants = {
      medplum: tenantOf({ type: 'fhir', baseUrl: medplum.base }),
      store: await clinical.tenantOver(resources.map((resource) => JSON.stringify(resource)).join('\n')),
    };
  }, 60_000);
  afterAll(async () => {
    await medplum.end();
    await clinical.end();
  });

  const scope = 'patient/*.rs';

  async function idsByRest(tenant: Tenant, search: string): Promise<string[]> {
    const app = fhirApp(clinical.subgraph, tenant, () => accessOf(scope));
    const ids: string[] = [];
    for (let url: string | undefined = `/test/fhir/${search}`; url !== undefined;) {
      const answer: LightMyRequestResponse = await app.inject({ url });
      expect(answer.statusCode, answer.body.slice(0, 300)).toBe(200);
      const { entry = [], link = [] }: Bundle = answer.json();
      ids.push(...entry.map(({ resource }) => resource!.id!));
      url = link.find(({ relation }) => relation === 'next')?.url.replace(/^https?:\/\/[^/]+/, '');
    }
    await app.close();
    return ids;
  }

  async function ask(tenant: Tenant, source: string) {
    const contextValue = { clinical: clinical.subgraph.open(tenant, accessOf(scope)) };
    const answer = await graphql({ schema: clinical.subgraph.schema, source, contextValue });
    return JSON.parse(JSON.stringify(answer)) as { data: unknown; errors?: unknown };
  }

  const searches = [
    'Patient?_count=100',
    `Patient?_id=${ana}`,
    'Patient?gender=female',
    'Patient?birthdate=ge1970-01-01',
    `Condition?patient=${ana}&_count=7`,
    `Condition?subject=Patient/${ana}`,
    'Condition?clinical-status=active&_count=20',
    `Observation?patient=${ana}&_count=50`,
    `Observation?patient=${ana}&category=laboratory`,
    'Observation?code=http://loinc.org|8302-2&_count=11',
    'Observation?status=final&date=ge2018-01-01&_count=100',
    'Observation?code:not=http://loinc.org|8302-2&category=vital-signs&_count=100',
    'Encounter?status=finished&date=lt2015&_count=30',
    'MedicationRequest?status=active,stopped&_count=40',
    'Practitioner?_count=3',
  ];
  testEach(searches, (_, index) => index % 3 === 1)(
    'FG-7 finds by %s what the store finds, on all pages',
    async (search) => {
      const found = await idsByRest(tenants.medplum, search);
      const expected = await idsByRest(tenants.store, search);
      expect(expected.length).toBeGreaterThan(0);
      expect(found.toSorted()).toEqual(expected.toSorted());
    },
  );

  test('FG-3 reads, nested lists and references give the same', async () => {
    const query = `{ Patient(id: "${ana}") {
      id birthDate name { family given }
      ConditionList { id code { text } encounter { resource { ... on Encounter { id status } } } }
      ObservationList(category: ["laboratory"]) { id valueQuantity { value unit } }
    } }`;
    const found = await ask(tenants.medplum, query);
    const expected = await ask(tenants.store, query);
    expect(found.errors).toBeUndefined();
    expect(sortedLists(found)).toEqual(sortedLists(expected));
  });

  test('FG-20 sorts a whole list, and refuses a part of one that the server does not confirm', async () => {
    const query = (more: string) =>
      `{ ConditionList(patient: ["${ana}"], _sort: ["-onset-date", "_id"] ${more}) { id } }`;
    const found = await ask(tenants.medplum, query(''));
    expect(found.errors).toBeUndefined();
    expect(found).toEqual(await ask(tenants.store, query('')));
    expect((await ask(tenants.medplum, query(', _count: 2'))).errors).toMatchObject([
      { extensions: { code: 'unsupported_parameter' } },
    ]);
  });

  test('FG-6 a list is one request', async () => {
    medplum.requests.length = 0;
    await ask(tenants.medplum, `{ ConditionList(patient: ["${ana}"]) { id } }`);
    expect(medplum.requests).toHaveLength(1);
  });
});

/** Sorts lists of resources by id: without `_sort` the order is the server's. */
function sortedLists(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = (value as unknown[]).map(sortedLists);
    return items.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, sortedLists(item)]));
}
