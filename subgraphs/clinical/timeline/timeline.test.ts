/** Timelines compared with the bundles that they are made of: of shared Synthea patients, and of one at day boundaries. */
import type {
  Bundle,
  CodeableConcept,
  DiagnosticReport,
  Observation,
  Period,
  Reference,
  Resource,
} from 'fhir/r4.js';
import { readFileSync } from 'node:fs';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedFhirPatients,
} from '../../../gateway/test/setup/shared-data.ts';
import { isInTurn } from '../../../gateway/test/setup/usual-run.ts';
import type { Clinical } from '../record/clinical.ts';
import { accessOf, startClinical, startFhirServer, tenantOf } from '../test/servers.ts';
import type { Entry } from './entry.ts';
import { timelinePage, type TimelineRequest } from './timeline.ts';

/** Fields of the types that have dates and words. */
type Loose = Resource & {
  period?: Period;
  performedPeriod?: Period;
  onsetPeriod?: Period;
  effectivePeriod?: Period;
  abatementDateTime?: string;
  code?: CodeableConcept;
  [name: string]: unknown;
};

/** Returns the beginning of a resource, written without the code under test. */
function beginning(resource: Loose): string | undefined {
  const texts = ['effectiveDateTime', 'onsetDateTime', 'authoredOn', 'occurrenceDateTime', 'date'];
  return periodOf(resource)?.start ?? texts.map((name) => resource[name] as string).find((text) => text);
}

function periodOf({ period, performedPeriod, onsetPeriod, effectivePeriod }: Loose): Period | undefined {
  return period ?? performedPeriod ?? onsetPeriod ?? effectivePeriod;
}

/** Returns the last moment of a resource in ms, or, for a day, month or year, the moment after it; Infinity if it lasts. */
function ending(resource: Loose): number {
  const { resourceType, abatementDateTime } = resource;
  const [period, end] = [periodOf(resource), abatementDateTime ?? periodOf(resource)?.end];
  if (end === undefined && (period || resourceType === 'Condition')) return Infinity;
  const text = end ?? beginning(resource)!;
  const date = new Date(text);
  if (text.length === 4) date.setUTCFullYear(date.getUTCFullYear() + 1);
  if (text.length === 7) date.setUTCMonth(date.getUTCMonth() + 1);
  return date.getTime() + (text.length === 10 ? DAY : 0) - (text.length > 10 ? 0 : 1);
}

const DAY = 24 * 3600 * 1000;

/** Tells if a resource overlaps whole days of UTC. */
function overlaps(resource: Resource, from: string, to: string): boolean {
  const start = beginning(resource as Loose);
  if (start === undefined) return false;
  return Date.parse(start) < Date.parse(to) + DAY && ending(resource as Loose) >= Date.parse(from);
}

/** Returns the resources of a bundle as they are, with the references of Synthea (`urn:uuid:`) by type and id. */
function rawResources(file: string): Resource[] {
  const text = readFileSync(sharedDataPath('fhir', file), 'utf8');
  const { entry = [] } = JSON.parse(text) as Bundle;
  const names = new Map(
    entry.map(({ resource }) => [resource!.id!, `${resource!.resourceType}/${resource!.id}`]),
  );
  const named = text.replace(/urn:uuid:([0-9a-f-]{36})/g, (urn, id: string) => names.get(id) ?? urn);
  return (JSON.parse(named) as Bundle).entry!.map(({ resource }) => resource!);
}

const DATED = [
  'Condition',
  'Encounter',
  'Immunization',
  'MedicationRequest',
  'MedicationStatement',
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

/** Reads a timeline to its end. */
async function pagesOf(open: () => Clinical, request: TimelineRequest): Promise<string[][]> {
  const found: string[][] = [];
  for (let cursor: string | undefined; ;) {
    const page = await timelinePage(open(), { ...request, cursor });
    expect(page.missing).toEqual([]);
    found.push(page.entries.map(keyOf));
    if (page.next === undefined) return found;
    cursor = page.next;
  }
}

/** Expects the entries in their order; of those of one moment any order, which other tests judge. */
function expectEntries(found: readonly string[], expected: readonly string[]): void {
  const times = (keys: readonly string[]) => keys.map((key) => key.slice(0, 24));
  expect(times(found)).toEqual(times(expected));
  expect(found.toSorted()).toEqual(expected.toSorted());
}

let clinical: Awaited<ReturnType<typeof startClinical>>;
let server: Awaited<ReturnType<typeof startFhirServer>>;
/** Starts the subgraph over a store, and a FHIR server with the same record. */
function recordOf(storeOf: () => Promise<Tenant>) {
  let store: Tenant;
  beforeAll(async () => {
    clinical = await startClinical();
    store = await storeOf();
    server = await startFhirServer(clinical.subgraph, store);
  }, 60_000);
  afterAll(async () => {
    await server.end();
    await clinical.end();
  });
  return (source: 'store' | 'server', patientId: string) => (): Clinical =>
    clinical.subgraph.open(
      source === 'store' ? store : tenantOf({ type: 'fhir', baseUrl: server.base }),
      accessOf('patient/*.rs', [patientId]),
    );
}

describeWithSharedData('FG-17 timelines of Synthea patients', () => {
  const opened = recordOf(async () => {
    const store = tenantOf({ type: 'store', path: sharedDataPath('fhir/synthea') });
    await clinical.subgraph.prepare(store);
    return store;
  });

  const cases = sharedFhirPatients().flatMap(({ file, patientId }, row) =>
    (['store', 'server'] as const).flatMap((source, column) => ({ file, patientId, source, row, column })),
  );
  const usual = cases.filter(({ row, column }) => isInTurn([row, column], 11));

  it.each(usual)(
    '$file from the $source is the bundle, sorted, on pages of any size',
    async ({ file, patientId, source, row }) => {
      const size = [9, 500, 40][Math.floor(row / 2) % 3]!;
      const pages = await pagesOf(opened(source, patientId), { patientId, count: size });
      expect(pages.slice(0, -1).every((page) => page.length === size)).toBe(true);
      expectEntries(pages.flat(), expectedOf(rawResources(file)));
    },
  );

  it.each(usual)(
    '$file from the $source has on three pages what overlaps the days of two entries',
    async ({ file, patientId, source }) => {
      const raw = rawResources(file);
      const all = expectedOf(raw);
      const dayOf = (share: number) => all[Math.floor(all.length * share)]!.slice(0, 10);
      const [from, to] = [dayOf(0.8), dayOf(0.1)];
      const expected = expectedOf(raw.filter((one) => overlaps(one, from, to)));
      const count = Math.ceil(expected.length / 3);
      const pages = await pagesOf(opened(source, patientId), { patientId, from, to, count });
      expect(pages.map(({ length }) => length)).toEqual([count, count, expected.length - 2 * count]);
      expectEntries(pages.flat(), expected);
    },
  );
});

describe('FG-17 at the boundaries of a day', () => {
  const subject = { reference: 'Patient/p' };
  const dated = (type: string, id: string, more: object) => ({ resourceType: type, id, subject, ...more });
  const visit = (id: string, start: string, end: string) =>
    dated('Encounter', id, { status: 'finished', period: { start, end } });
  const given = (id: string, occurrenceDateTime: string) => ({
    resourceType: 'Immunization',
    id,
    status: 'completed',
    patient: subject,
    occurrenceDateTime,
  });
  const onset = (id: string, onsetDateTime: string, abatementDateTime?: string) =>
    dated('Condition', id, { onsetDateTime, abatementDateTime });
  const result = (id: string, effectiveDateTime: string) =>
    dated('Observation', id, {
      status: 'final',
      code: { text: id },
      category: [{ coding: [{ code: 'laboratory' }] }],
      effectiveDateTime,
    });
  const resources = [
    { resourceType: 'Patient', id: 'p' },
    visit('ends-before', '2024-02-01T00:00:00Z', '2024-02-28T23:59:59Z'),
    visit('ends-at-midnight', '2024-02-01T00:00:00Z', '2024-02-29T00:00:00Z'),
    visit('begins-at-the-end', '2024-02-29T23:59:59Z', '2024-03-02T00:00:00Z'),
    visit('begins-after', '2024-03-01T00:00:00Z', '2024-03-02T00:00:00Z'),
    visit('around', '2024-02-28T12:00:00Z', '2024-03-01T12:00:00Z'),
    given('west-before', '2024-02-28T18:59:59-05:00'),
    given('west-at-midnight', '2024-02-28T19:00:00-05:00'),
    given('east-at-the-end', '2024-03-01T13:59:59+14:00'),
    given('east-after', '2024-03-01T14:00:00+14:00'),
    ...['2024-02-28', '2024-02-29', '2024-03-01', '2024-02', '2024-03', '2024', '2023'].map((date) =>
      onset(`onset-${date}`, date),
    ),
    dated('Condition', 'onset-open', { onsetPeriod: { start: '2019-05' } }),
    dated('Condition', 'onset-closed', { onsetPeriod: { start: '2019-05', end: '2019-06' } }),
    dated('Encounter', 'inpatient', { status: 'in-progress', period: { start: '2019-07-01' } }),
    dated('Procedure', 'dialysis', { status: 'in-progress', performedPeriod: { start: '2019-08-01' } }),
    dated('DiagnosticReport', 'monitoring', { status: 'partial', effectivePeriod: { start: '2019-09-01' } }),
    dated('MedicationStatement', 'taken', { status: 'active', effectivePeriod: { start: '2019-10-01' } }),
    dated('MedicationStatement', 'stopped', {
      status: 'stopped',
      effectivePeriod: { start: '2019-10-01', end: '2019-11-01' },
    }),
    onset('ended-before', '2020', '2024-02-28'),
    onset('ended-on-the-day', '2020', '2024-02-29'),
    onset('ended-in-the-month', '2020', '2024-02'),
    result('last-second-before', '2024-02-28T23:59:59Z'),
    result('first-second', '2024-02-29T00:00:00Z'),
    result('last-second', '2024-02-29T23:59:59Z'),
    result('first-second-after', '2024-03-01T00:00:00Z'),
  ] as unknown as Resource[];
  const opened = recordOf(() => clinical.tenantOver(resources.map((one) => JSON.stringify(one)).join('\n')));

  const DAYS: [from: string, to: string][] = [
    ['2024-02-29', '2024-02-29'],
    ['2024-02-28', '2024-02-29'],
    ['2024-02-29', '2024-03-01'],
    ['2024-03-01', '2024-03-01'],
    ['2023-12-31', '2024-02-28'],
  ];
  it.each(
    DAYS.flatMap(([from, to]) => (['store', 'server'] as const).map((source) => ({ from, to, source }))),
  )('from $from to $to, from the $source, on three pages', async ({ from, to, source }) => {
    const expected = expectedOf(resources.filter((one) => overlaps(one, from, to)));
    const count = Math.ceil(expected.length / 3);
    const pages = await pagesOf(opened(source, 'p'), { patientId: 'p', from, to, count });
    expect(pages).toHaveLength(3);
    expectEntries(pages.flat(), expected);
  });
});
