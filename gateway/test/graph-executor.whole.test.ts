/** `GRAPH_EXECUTOR=apollo`: Apollo plans and executes every operation, and gives the answers of the compiled form. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { metrics, type Metrics } from '../http/metrics.ts';
import { FIRST_REQUEST } from '../pages/first-request.ts';
import type { GraphExecutor } from '../settings.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const { id } = FIRST_REQUEST.variables;
const STUDIES = 'ImagingStudyList { id started series { uid } basedOn { reference } }';
const RECORD = `Patient(id: "${id}") { id name { family } ConditionList(_count: 3) { id code { text } }`;
const WHOLE = `{ ${RECORD} ${STUDIES} } }`;
const DEFERRED = `{ ${RECORD} ... @defer(label: "images") { ${STUDIES} } } }`;
const ROWS = `{ Patient(id: "${id}") { ObservationConnection { edges { resource { id status } } } } }`;

const measured = {} as Record<GraphExecutor, Metrics>;
const gateways = {} as Record<GraphExecutor, TestGateway>;
beforeAll(async () => {
  for (const graphExecutor of ['compiled', 'apollo'] as const) {
    measured[graphExecutor] = metrics();
    gateways[graphExecutor] = await buildTestGateway(
      ({ images, patients }) => ({
        open: {
          authorization: { type: 'mock', disableAuthzChecks: true },
          graphql: { introspection: true },
          clinical: { type: 'store', path: patients },
          images: { type: 'folder', lookup: 'studies-by-mrn', path: images },
        },
      }),
      undefined,
      undefined,
      { measured: measured[graphExecutor], limits: { graphExecutor } },
    );
  }
}, 120_000);
afterAll(() => Promise.all(Object.values(gateways).map((gateway) => gateway.close())));

async function answersOf(query: string, accept = 'application/json') {
  const request = { method: 'POST', url: '/open/graphql', headers: { accept }, payload: { query } } as const;
  const [compiled, apollo] = [
    await gateways.compiled.app.inject(request),
    await gateways.apollo.app.inject(request),
  ].map(({ statusCode, headers, body }) => ({ status: statusCode, type: headers['content-type'], body }));
  return { compiled: compiled!, apollo: apollo! };
}
/** Returns how many operations were executed so far, by way. */
async function executions(executor: GraphExecutor) {
  const text = await measured[executor].registry.metrics();
  return Object.fromEntries(
    [...text.matchAll(/^graphql_executions_total\{way="(\w+)"\} (\d+)/gm)].map(([, way, n]) => [
      way!,
      Number(n),
    ]),
  );
}

test.each([
  ['a record and its images', WHOLE, 200],
  ['a patient who does not exist', '{ Patient(id: "nobody") { id } }', 200],
  ['a study of the images alone', `{ ImagingStudyList(patient: "${id}") { id modality { code } } }`, 200],
  ['introspection beside data', `{ __schema { queryType { name } } ${RECORD} } }`, 200],
  ['a field that does not exist', '{ Patient(id: "x") { nonsense } }', 400],
])('%s: the same answer, byte by byte', async (_, query, status) => {
  const { compiled, apollo } = await answersOf(query);
  expect(compiled.status).toBe(status);
  expect(apollo).toEqual(compiled);
});

test('every operation is planned, also one that was answered before', async () => {
  const before = await executions('apollo');
  for (let times = 0; times < 3; times++) await answersOf(WHOLE);
  const after = await executions('apollo');
  expect(after['planned']! - before['planned']!).toBe(3);
  expect(after['compiled'] ?? 0).toBe(before['compiled'] ?? 0);
});

test('@defer is answered whole', async () => {
  const accept = 'multipart/mixed;deferSpec=20220824, application/json';
  const { compiled, apollo } = await answersOf(DEFERRED, accept);
  expect(compiled.type).toMatch(/^multipart\/mixed/);
  const whole = await answersOf(WHOLE);
  expect(apollo).toEqual(whole.compiled);
});

test('rows are streamed by the same code', async () => {
  const { compiled, apollo } = await answersOf(ROWS, 'text/csv');
  expect(compiled).toMatchObject({ status: 200, type: expect.stringMatching(/^text\/csv/) });
  expect(compiled.body.split('\n').length).toBeGreaterThan(2);
  expect(apollo).toEqual(compiled);
});
