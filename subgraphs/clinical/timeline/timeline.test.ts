/** Timelines of the shared Synthea patients, compared with their bundles. */
import type { Bundle, CodeableConcept, DiagnosticReport, Observation, Reference, Resource } from 'fhir/r4.js';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedFhirPatients,
} from '../../../gateway/test/setup/shared-data.ts';
import { isInTurn } from '../../../gateway/test/setup/usual-run.ts';
import { resourcesOfBundle } from '../sources/bundle.ts';
import { accessOf, startClinical, startFhirServer, tenantOf } from '../test/servers.ts';
import type { Entry } from './entry.ts';
import { timelinePage, type TimelineRequest } from './timeline.ts';

/** Fields of the types that have dates and words. */
type Loose = Resource & {
  period?: { start?: string };
  performedPeriod?: { start?: string };
  code?: CodeableConcept;
  [name: string]: unknown;
};

/** Returns the beginning of a resource, written without the code under test. */
function beginning(resource: Loose): string | undefined {
  const { period, performedPeriod } = resource;
  const texts = ['effectiveDateTime', 'onsetDateTime', 'authoredOn', 'occurrenceDateTime', 'date'];
  return (
    period?.start ??
    performedPeriod?.start ??
    texts.map((name) => resource[name] as string).find((text) => text)
  );
}

const DATED = [
  'Condition',
  'Encounter',
  'Immunization',
  'MedicationRequest',
  'Procedure',
  'DiagnosticReport',
];

function isGrouped(resource: Resource): resource is Observation {
  const codes = (resource as Observation).category?.flatMap(
    ({ coding }) => coding?.map(({ code }) => code) ?? [],
  );
  return (
    resource.resourceType === 'Observation' &&
    !!codes?.some((code) => /^(laboratory|vital-signs)$/.test(code!))
  );
}

/** Returns the keys of the entries that a bundle's timeline has, newest first: an independent, simple computation. */
function expectedOf(resources: readonly Resource[]): string[] {
  const keys: [time: number, key: string][] = [];
  const groups = new Map<string, Observation[]>();
  const reports = resources.filter((one): one is DiagnosticReport => one.resourceType === 'DiagnosticReport');
  for (const resource of resources) {
    if (DATED.includes(resource.resourceType))
      keys.push([Date.parse(beginning(resource as Loose)!), `${resource.resourceType}/${resource.id}`]);
    if (!isGrouped(resource)) continue;
    const day = resource.effectiveDateTime!.slice(0, 10);
    const isVital = resource.category![0]!.coding![0]!.code === 'vital-signs';
    const isOf = ({ effectiveDateTime, result }: DiagnosticReport) =>
      effectiveDateTime?.startsWith(day) &&
      result?.some(({ reference }: Reference) => reference === `Observation/${resource.id}`);
    if (!isVital && reports.some(isOf)) continue;
    const key = isVital ? `vitalSigns ${day} ${resource.encounter?.reference}` : `laboratory ${day}`;
    groups.set(key, [...(groups.get(key) ?? []), resource]);
  }
  for (const members of groups.values()) {
    const times = members.map(({ effectiveDateTime }) => Date.parse(effectiveDateTime!));
    keys.push([
      Math.min(...times),
      members
        .map(({ id }) => id)
        .sort()
        .join(),
    ]);
  }
  return keys.sort(([a], [b]) => b - a).map(([time, key]) => `${new Date(time).toISOString()} ${key}`);
}

/** Writes an entry as `expectedOf` does. */
function keyOf({ date, resource, observations, kind }: Entry): string {
  const isGroup = kind === 'laboratory' || kind === 'vitalSigns';
  const key = isGroup
    ? observations!
        .map(({ id }) => id)
        .sort()
        .join()
    : `${(resource as Resource).resourceType}/${(resource as Resource).id}`;
  return `${new Date(date!).toISOString()} ${key}`;
}

describeWithSharedData('FG-17 timelines of Synthea patients', () => {
  let clinical: Awaited<ReturnType<typeof startClinical>>;
  let server: Awaited<ReturnType<typeof startFhirServer>>;
  const store = tenantOf({ type: 'store', path: sharedDataPath('fhir/synthea') });

  beforeAll(async () => {
    clinical = await startClinical();
    await clinical.subgraph.prepare(store);
    server = await startFhirServer(clinical.subgraph, store);
  }, 60_000);
  afterAll(async () => {
    await server.end();
    await clinical.end();
  });

  const sources = () => ({ store, server: tenantOf({ type: 'fhir', baseUrl: server.base }) });

  async function pages(source: 'store' | 'server', request: TimelineRequest): Promise<Entry[][]> {
    const found: Entry[][] = [];
    for (let cursor: string | undefined; ;) {
      const access = accessOf('patient/*.rs', [request.patientId]);
      const record = clinical.subgraph.open(sources()[source], access);
      const page = await timelinePage(record, { ...request, cursor });
      expect(page.missing).toEqual([]);
      found.push([...page.entries]);
      if (page.next === undefined) return found;
      cursor = page.next;
    }
  }

  const cases = sharedFhirPatients().flatMap(({ file, patientId }, row) =>
    (['store', 'server'] as const).flatMap((source, column) => ({ file, patientId, source, row, column })),
  );
  it.each(cases.filter(({ row, column }) => isInTurn([row, column], 11)))(
    '$file from the $source is the bundle, sorted, on pages of any size',
    async ({ file, patientId, source, row }) => {
      const bundle = JSON.parse(readFileSync(sharedDataPath('fhir', file), 'utf8')) as Bundle;
      const expected = expectedOf(resourcesOfBundle(bundle));
      const size = [9, 500, 40][Math.floor(row / 2) % 3]!;
      const found = await pages(source, { patientId, count: size });
      expect(found.slice(0, -1).every((page) => page.length === size)).toBe(true);
      const times = (keys: string[]) => keys.map((key) => key.slice(0, 24));
      const keys = found.flat().map(keyOf);
      expect(times(keys)).toEqual(times(expected));
      expect(keys.toSorted()).toEqual(expected.toSorted());
    },
  );
});
