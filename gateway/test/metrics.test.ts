/** The metrics of a gateway at work, its dashboard, and what docs/monitoring.md says of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditSinks } from '../audit/sinks.ts';
import { metrics } from '../http/metrics.ts';
import { logger } from '../http/logger.ts';
import { FIRST_REQUEST } from '../pages/first-request.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const docs = (name: string) => readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8');
const { id } = FIRST_REQUEST.variables;
const DIRECT = 'query Who($id: ID!) { Patient(id: $id) { name { family } ImagingStudyList { id } } }';
const PLANNED = '{ __type(name: "Patient") { name } }';

const measured = metrics();
const { registry } = measured;
const lines: string[] = [];
const sink = new Writable({ write: (chunk: Buffer, _e, done) => (lines.push(chunk.toString()), done()) });
let gateway: TestGateway;
beforeAll(async () => {
  const { record } = auditSinks({
    baseUrl: 'http://localhost',
    fetch: () => fetch,
    now: () => Date.now() / 1000,
    registry,
    stdout: () => true,
    log: logger('silent'),
  });
  const redis = { client: undefined as never, reachable: () => false };
  gateway = await buildTestGateway(
    ({ images, patients }) => ({
      open: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        graphql: { introspection: true },
        clinical: { type: 'store', path: patients },
        images: { type: 'folder', lookup: 'all-studies-on-server', path: images },
      },
    }),
    undefined,
    record,
    { measured, log: logger('info', sink), limits: { redis, slowOperation: 0 } },
  );
}, 120_000);
afterAll(() => gateway.close());

const query = (text: string, variables = {}) =>
  gateway.app.inject({ method: 'POST', url: '/open/graphql', payload: { query: text, variables } });
/** Returns the value of a series; undefined where there is none. */
async function valueOf(series: string): Promise<number | undefined> {
  const line = (await registry.metrics()).split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test('operations are measured by name and by way; documents that are known are hits', async () => {
  for (let i = 0; i < 3; i++) expect((await query(DIRECT, { id })).json().errors).toBeUndefined();
  expect((await query(PLANNED)).json().errors).toBeUndefined();
  expect((await query('{ nonsense }')).statusCode).toBe(400);
  expect(await valueOf('graphql_operation_duration_seconds_count{operation="Who"}')).toBe(3);
  expect(await valueOf('graphql_operation_duration_seconds_count{operation="anonymous"}')).toBe(1);
  expect(await valueOf('graphql_executions_total{way="compiled"}')).toBe(3);
  expect(await valueOf('graphql_executions_total{way="planned"}')).toBe(1);
  expect(await valueOf('cache_lookups_total{cache="operations",result="hit"}')).toBe(2);
  expect(await valueOf('cache_lookups_total{cache="operations",result="miss"}')).toBe(3);
});

test('each page of a stream is an operation', async () => {
  const text = `query Rows { Patient(id: "${id}") { ObservationConnection { edges { resource { id } } } } }`;
  const headers = { accept: 'text/csv' };
  const request = { method: 'POST', url: '/open/graphql', headers, payload: { query: text } } as const;
  expect((await gateway.app.inject(request)).statusCode).toBe(200);
  expect(await valueOf('graphql_operation_duration_seconds_count{operation="Rows"}')).toBe(1);
});

test('calls to sources are measured by kind and outcome, and hits of their caches counted', async () => {
  const url = '/open/dicomweb/studies';
  for (let i = 0; i < 2; i++) expect((await gateway.app.inject(url)).statusCode).toBe(200);
  expect(await valueOf('source_call_duration_seconds_count{kind="store",outcome="ok"}')).toBeGreaterThan(0);
  expect(await valueOf('source_call_duration_seconds_count{kind="folder",outcome="ok"}')).toBeGreaterThan(0);
  expect(await valueOf('cache_lookups_total{cache="searches",result="miss"}')).toBeGreaterThan(0);
  expect(await valueOf('cache_lookups_total{cache="searches",result="hit"}')).toBeGreaterThan(0);
});

test('a slow operation is logged with name, hash, cost and time, and without its text and variables', async () => {
  await query(DIRECT, { id });
  const slow = lines.filter((line) => line.includes('a slow GraphQL operation'));
  expect(JSON.parse(slow.at(-1)!)).toMatchObject({
    level: 40,
    operation: 'Who',
    hash: expect.stringMatching(/^[\da-f]{64}$/),
    cost: expect.any(Number),
    ms: expect.any(Number),
    reqId: expect.any(String),
  });
  expect(slow.join('')).not.toContain(id);
  expect(slow.join('')).not.toContain('family');
});

test('answers with data have their time in Server-Timing; discovery has none', async () => {
  const timing = async (url: string) => (await gateway.app.inject(url)).headers['server-timing'];
  expect(await timing(`/open/fhir/Patient/${id}`)).toMatch(/^total;dur=\d+(\.\d)?$/);
  expect(await timing('/open/fhir/metadata')).toBeUndefined();
});

test('a client cannot make series without end', async () => {
  const { operation, registry: own } = metrics();
  const type = 'query';
  for (let i = 0; i < 500; i++) operation().end({ type, name: `Name${i}` });
  operation().end({ type, name: 'x'.repeat(65) });
  const counts = (await own.metrics()).match(/^graphql_operation_duration_seconds_count.*$/gm)!;
  expect(counts).toHaveLength(101);
  expect(counts).toContain('graphql_operation_duration_seconds_count{operation="other"} 401');
});

/** A metric of the registry, with its names in Prometheus. */
interface Known {
  name: string;
  labels: readonly string[];
  names: readonly string[];
}
function known(): Known[] {
  return registry.getMetricsAsArray().map((metric) => {
    const { name, labelNames: labels } = metric as unknown as { name: string; labelNames: string[] };
    const isHistogram = String((metric as { type?: unknown }).type) === 'histogram' || 'buckets' in metric;
    return {
      name,
      labels,
      names: isHistogram ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
    };
  });
}

describe('docs/grafana-dashboard.json', () => {
  interface Panel {
    title: string;
    targets: { expr: string }[];
  }
  const { panels } = JSON.parse(docs('grafana-dashboard.json')) as { panels: Panel[] };
  const FUNCTIONS = new Set(['sum', 'max', 'min', 'by', 'rate', 'increase', 'histogram_quantile', 'topk']);
  test.each(panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)))(
    '%s: %s',
    (_title, expr) => {
      const labels = [...expr.matchAll(/by \(([^)]*)\)|\{([^}]*)\}/g)].flatMap(([, by, within]) =>
        by === undefined ? within!.match(/\w+(?=[=!])/g)! : by.split(/, */),
      );
      const rest = expr.replace(/by \([^)]*\)|\{[^}]*\}|\[[^\]]*\]/g, ' ');
      const names = [...new Set(rest.match(/[a-z_]\w*/g))].filter((name) => !FUNCTIONS.has(name));
      expect(names).not.toEqual([]);
      const all = known();
      const metricsNamed = names.map(
        (name) => all.find((one) => one.names.includes(name)) ?? `no metric ${name}`,
      );
      for (const metric of metricsNamed)
        expect(metric).toMatchObject({
          labels: expect.arrayContaining(labels.filter((label) => label !== 'le')),
        });
    },
  );
});

test('docs/monitoring.md has a row for each metric, with its labels', () => {
  const rows = docs('monitoring.md')
    .split('\n')
    .flatMap((line) => {
      const [, names, labels] = /^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| ([^|]*) \|/.exec(line) ?? [];
      const words = (text: string) => [...text.matchAll(/`(\w+)`/g)].map(([, word]) => word!);
      return names === undefined ? [] : words(names).map((name) => [name, words(labels!)] as const);
    });
  const documented = new Map(rows);
  const own = known().filter(({ name }) => !/^(process|nodejs)_/.test(name));
  expect(own.length).toBeGreaterThan(10);
  for (const { name, labels } of own) expect([name, documented.get(name)]).toEqual([name, labels]);
});
