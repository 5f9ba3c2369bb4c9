/** One patient with a long record: a shared Synthea patient, and a copy of the same years' resources before them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bundle, Resource } from 'fhir/r4.js';
import { resourcesOfBundle } from '../../../subgraphs/clinical/sources/bundle.ts';
import { sharedDataPath, sharedFhirPatients } from '../../test/setup/shared-data.ts';

const DATE = /"(\d{4}-\d{2}-\d{2})(?=["T])/g;
const DAY = 24 * 60 * 60 * 1000;

/**
 * Writes the record as NDJSON: about 1,000 resources of the largest shared patient, and `points` glucose measurements.
 * @returns the logical id of the patient
 */
export function writeLongRecord(folder: string, points: number): string {
  const patients = sharedFhirPatients().map((patient) => ({
    ...{ patient, size: Object.values(patient.counts).reduce((sum, count) => sum + count, 0) },
  }));
  const [{ patient } = patients[0]!] = patients.sort((a, b) => b.size - a.size);
  const bundle = JSON.parse(readFileSync(sharedDataPath('fhir', patient.file), 'utf8')) as Bundle;
  const own = resourcesOfBundle(bundle);
  const ids = own.filter(({ resourceType }) => resourceType !== 'Patient').map(({ id }) => id);
  const older = own
    .filter(({ resourceType }) => !['Patient', 'Organization', 'Practitioner'].includes(resourceType))
    .slice(0, 1_000 - own.length)
    .map((resource) => copyOf(resource, ids));
  const lines = [...own.map((one) => JSON.stringify(one)), ...older, ...glucose(patient.patientId, points)];
  writeFileSync(join(folder, 'long-record.ndjson'), lines.join('\n'));
  return patient.patientId;
}

/** Returns a resource with other ids, 2,000 days before. */
function copyOf(resource: Resource, ids: readonly string[]): string {
  const own = new Set(ids);
  return JSON.stringify(resource)
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => (own.has(id) ? `x${id.slice(1)}` : id))
    .replace(DATE, (_, date: string) => {
      return `"${new Date(Date.parse(date) - 2_000 * DAY).toISOString().slice(0, 10)}`;
    });
}

function glucose(patientId: string, points: number): string[] {
  const system = 'http://unitsofmeasure.org';
  return Array.from({ length: points }, (_, index) =>
    JSON.stringify({
      ...{ resourceType: 'Observation', id: `glucose-${index}`, status: 'final' },
      code: { coding: [{ system: 'http://loinc.org', code: '2339-0', display: 'Glucose' }] },
      ...{ category: [{ coding: [{ code: 'exam' }] }], subject: { reference: `Patient/${patientId}` } },
      effectiveDateTime: new Date(Date.parse('2000-01-01') + index * DAY).toISOString(),
      valueQuantity:
        index % 2
          ? { value: 90 + (index % 30), unit: 'mg/dL', system, code: 'mg/dL' }
          : { value: 0.9 + (index % 7) / 100, unit: 'g/L', system, code: 'g/L' },
      referenceRange: [{ low: { value: 70, unit: 'mg/dL', system, code: 'mg/dL' } }],
    }),
  );
}
