/** Every Synthea patient of the shared data, loaded into the store and read through the federated graph. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { describeWithSharedData, sharedDataPath, sharedFhirPatients } from './setup/shared-data.ts';

const LISTS = ['Condition', 'MedicationRequest', 'AllergyIntolerance', 'DiagnosticReport', 'Observation'];
const QUERY = `query Record($id: ID!) { Patient(id: $id) {
  name { family } birthDate ${LISTS.map((type) => `${type}List { id }`).join(' ')} ImagingStudyList { id }
} }`;

describeWithSharedData('FG-1, FG-7 Synthea in the store, in one federated request', () => {
  const patients = sharedDataPath('fhir/synthea');
  const images = sharedDataPath('dicom/ct-head-ge');
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await buildTestGateway(
      () => ({
        synthea: {
          authorization: { type: 'mock', disableAuthzChecks: true },
          clinical: { type: 'store', path: patients },
          images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
        },
      }),
      { images, patients },
    );
  }, 60_000);
  afterAll(() => gateway.close());

  test.each(sharedFhirPatients())('$name: every list is as long as in the bundle', async (patient) => {
    const answer = await gateway.app.inject({
      method: 'POST',
      url: '/synthea/graphql',
      payload: { query: QUERY, variables: { id: patient.patientId } },
    });
    const { data, errors } = answer.json() as {
      data: { Patient: Record<string, unknown[]> };
      errors?: unknown;
    };
    expect(errors).toBeUndefined();
    expect(data.Patient['birthDate']).toBe(patient.birthDate);
    const found = LISTS.map((type) => [type, data.Patient[`${type}List`]!.length]);
    expect(found).toEqual(LISTS.map((type) => [type, patient.counts[type] ?? 0]));
    // Their images are in no archive; the head CT belongs to another patient.
    expect(data.Patient['ImagingStudyList']).toHaveLength(patient.counts['ImagingStudy'] ?? 0);
  });
});
