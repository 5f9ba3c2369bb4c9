/** The requests of `docs/examples.md`, with the token of an analyst of the demonstration: each shows what the page says. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDemoGateway, type DemoGateway } from '../test/clients/demo-gateway.ts';
import { demoStudies, studyUid } from './stories.ts';

const page = readFileSync(new URL('../../docs/examples.md', import.meta.url), 'utf8');
/** The requests by their headings. */
const requests = new Map(
  [...page.matchAll(/^## ([^\n]+)\n(?:(?!^## ).)*?```graphql\n(.*?)```$/gms)].map(([, title, query]) => [
    title!,
    query!,
  ]),
);

let gateway: DemoGateway;
let token: string;
beforeAll(async () => {
  gateway = await startDemoGateway();
  token = await gateway.analystToken();
  // The graph starts with the first request.
  await shown('A report with its images');
}, 60_000);
afterAll(() => gateway?.close());

interface Study {
  id: string;
  status: string;
  modality: { code: string }[];
  endpoint: unknown[] | null;
  measurements: Measured[];
  priors: { measurements: Measured[] }[];
}
interface Measured {
  code: { text: string };
  valueQuantity: { value: number; code: string };
}

const sent = (title: string, accept = 'application/json') =>
  fetch(`${gateway.tenant}/graphql`, {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: requests.get(title) }),
  });

/** Sends a request of the page. @returns the value of its only root field, without errors */
async function shown<T>(title: string): Promise<T> {
  const response = await sent(title);
  const { data, errors } = (await response.json()) as { data: Record<string, T>; errors?: unknown };
  expect(errors).toBeUndefined();
  return Object.values(data)[0]!;
}

const castellanos = (year: string) => studyUid(`castellanos-ct-chest-${year}`);
const sizes = (measured: readonly Measured[]) =>
  measured.map(({ code, valueQuantity: { value, code: unit } }) => `${code.text} ${value} ${unit}`);

describe('docs/examples.md', () => {
  test('A report with its images', async () => {
    const report = await shown<Record<string, unknown>>('A report with its images');
    expect(report).toMatchObject({
      status: 'final',
      basedOn: [{ resource: { status: 'completed' } }],
      ImagingStudyList: [{ id: castellanos('2026'), series: { length: 8 } }],
      priors: [{ id: 'demo-castellanos-report-rb25-104417' }],
    });
  });

  test('An order without images', async () => {
    const { ServiceRequestList: orders } = await shown<{
      ServiceRequestList: { status: string; ImagingStudyList: { id: string }[] }[];
    }>('An order without images');
    const lists = orders.map(({ status, ImagingStudyList }) => [
      status,
      ImagingStudyList.map(({ id }) => id),
    ]);
    expect(lists.sort()).toEqual([
      ['active', []],
      ...[
        ['completed', [castellanos('2025')]],
        ['completed', [castellanos('2026')]],
      ].sort(),
    ]);
  });

  test('A study that only the record has', async () => {
    const { ImagingStudyList: studies } = await shown<{ ImagingStudyList: Study[] }>(
      'A study that only the record has',
    );
    const archived = demoStudies.filter(({ patient }) => patient === 'demo-samir-haddad');
    const alone = studies.filter(({ endpoint }) => endpoint === null);
    expect(studies).toHaveLength(archived.length + 2);
    expect(alone.map(({ status }) => status).sort()).toEqual(['available', 'registered']);
  });

  test('Measurements and dose', async () => {
    const { ImagingStudyList: studies } = await shown<{ ImagingStudyList: Study[] }>('Measurements and dose');
    expect(studies).toHaveLength(1);
    expect(sizes(studies[0]!.measurements)).toEqual(['Long Axis 9 mm', 'Short Axis 7.8 mm']);
    expect(studies[0]!.priors.map(({ measurements }) => sizes(measurements))).toEqual([
      ['Long Axis 6 mm', 'Short Axis 5.4 mm'],
    ]);
    expect(studies[0]).toMatchObject({
      dose: [{ totals: [{ doseLengthProduct: { value: 67.4, code: 'mGy.cm' } }] }],
    });
  });

  test('A trend with its studies: a CT is on the axis between the points', async () => {
    const { trend } = await shown<{
      trend: {
        series: { unit: string; points: { date: string; value: number; flag: string }[] }[];
        events: { kind: string; date: string; studies: Study[] }[];
      };
    }>('A trend with its studies');
    expect(trend.series).toHaveLength(1);
    const [{ unit, points }] = trend.series as [(typeof trend.series)[number]];
    expect([unit, points.length]).toEqual(['mg/dL', 4]);
    expect(points.map(({ flag }) => flag)).toContain('H');
    const scans = trend.events.filter(({ studies }) =>
      studies.some(({ modality }) => modality.some(({ code }) => code === 'CT')),
    );
    expect(scans.map(({ studies }) => studies[0]!.id)).toEqual([castellanos('2025'), castellanos('2026')]);
    const first = Date.parse(scans[0]!.date);
    expect(points.some(({ date }) => Date.parse(date) < first)).toBe(true);
    expect(points.some(({ date }) => Date.parse(date) > first)).toBe(true);
  });

  test('A timeline', async () => {
    const { timeline } = await shown<{
      timeline: { missing: unknown[]; entries: { kind: string; date: string; studies: Study[] | null }[] };
    }>('A timeline');
    expect(timeline.missing).toEqual([]);
    const reports = timeline.entries.filter(({ kind }) => kind === 'report');
    expect(reports.some(({ studies }) => studies!.length > 0)).toBe(true);
    const times = timeline.entries.map(({ date }) => Date.parse(date));
    expect(times).toEqual(times.toSorted((a, b) => b - a));
  });

  test('Reports by an expression', async () => {
    const reports = await shown<{ ImagingStudyList: unknown[] }[]>('Reports by an expression');
    expect(reports.length).toBeGreaterThan(0);
    expect(reports.every(({ ImagingStudyList }) => ImagingStudyList.length > 0)).toBe(true);
  });

  test('All observations as CSV', async () => {
    const [head, ...lines] = (await (await sent('All observations as CSV', 'text/csv')).text()).split('\r\n');
    expect(head).toBe(
      'id,subject.reference,code.coding.display,effectiveDateTime,valueQuantity.value,valueQuantity.unit,_next',
    );
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.pop()).toBe('');
    expect(lines.every((line) => /,Patient\/[\w-]+,"?\w/.test(line))).toBe(true);
  });

  test('Modalities of a year', async () => {
    const { count, facets } = await shown<{ count: number; facets: { value: string; count: number }[] }>(
      'Modalities of a year',
    );
    expect(count).toBeGreaterThan(3);
    expect(facets.length).toBeGreaterThan(2);
    expect(facets.map(({ count }) => count)).toEqual(
      facets.map(({ count }) => count).toSorted((a, b) => b - a),
    );
  });

  test('Women with diabetes and their CT', async () => {
    const { count, edges } = await shown<{
      count: number;
      edges: { resource: { subject: { reference: string } } }[];
    }>('Women with diabetes and their CT');
    expect(count).toBe(edges.length);
    const patients = new Set(edges.map(({ resource }) => resource.subject.reference));
    expect([...patients]).toEqual(['Patient/87a339d0-8cae-418e-89c7-8651e6aab3c6']);
  });

  test('has no other requests', () => {
    expect(requests.size).toBe(10);
    expect(page.match(/```graphql/g)).toHaveLength(10);
  });
});
