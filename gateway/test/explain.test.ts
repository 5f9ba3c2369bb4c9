import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Explained } from '../../viewer/src/playground/cost/explained.ts';
import { freePort } from './setup/free-port.ts';
import { isSplit } from './split-arrangement.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

/** Cost, plan and calls of requests (FG-28), on a store, a FHIR server, a folder and a DICOMweb archive. */

const PATIENT = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
/** Executed without a plan. */
const DIRECT = `{ Patient(id: "${PATIENT}") { name { family } ConditionList(_count: 20) { code { text } } ImagingStudyList(_count: 5) { id series { uid } } } }`;
/** Goes from studies to the record, for which both subgraphs need a plan. */
const PLANNED = `{ Patient(id: "${PATIENT}") { ImagingStudyList(_count: 5) { id DiagnosticReportList(_count: 5) { status } } } }`;

let gateway: TestGateway;
beforeAll(async () => {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}/open`;
  const authorization = { type: 'mock', disableAuthzChecks: true };
  gateway = await buildTestGateway(
    ({ images, patients }) => {
      const sources = {
        clinical: { type: 'store', path: patients },
        images: { type: 'folder', path: images, lookup: 'all-studies-on-server' },
      };
      return {
        open: { authorization, ...sources, graphql: { explain: true, introspection: true } },
        silent: { authorization, ...sources },
        // Its servers are the APIs of the tenant `open`.
        remote: {
          authorization,
          clinical: { type: 'fhir', baseUrl: `${base}/fhir` },
          images: { type: 'dicom-web', endpoint: `${base}/dicomweb`, lookup: 'all-studies-on-server' },
          graphql: { explain: true },
        },
      };
    },
    undefined,
    undefined,
    { port },
  );
}, 120_000);
afterAll(() => gateway?.close());

async function ask(
  query: string,
  { explain, tenant = 'open', ...more }: { explain?: unknown; tenant?: string; [name: string]: unknown } = {},
) {
  const answer = await gateway.app.inject({
    method: 'POST',
    url: `/${tenant}/graphql`,
    payload: { query, ...more, ...(explain !== undefined && { extensions: { explain } }) },
  });
  const body = answer.json<{
    data?: { Patient: { ImagingStudyList: unknown[] } | null };
    errors?: { message: string }[];
    extensions?: { explain: Explained };
  }>();
  return { status: answer.statusCode, body };
}

/** 100 patients by default, each with a list of 1,000. */
const EXPENSIVE = '{ PatientList { id ConditionList(_count: 1000) { id } } }';

describe('FG-28 the cost of a request', () => {
  test('is told with its limits and its most expensive fields', async () => {
    const { status, body } = await ask(DIRECT, { explain: 'cost' });
    expect([status, body]).toEqual([
      200,
      {
        extensions: {
          explain: {
            cost: 105,
            limit: 50_000,
            depth: 4,
            depthLimit: 30,
            fields: [
              { path: 'Patient', cost: 105 },
              { path: 'Patient.ImagingStudyList', cost: 61 },
              { path: 'Patient.ImagingStudyList.series', cost: 55 },
              { path: 'Patient.ConditionList', cost: 41 },
              { path: 'Patient.ConditionList.code', cost: 40 },
              { path: 'Patient.name', cost: 2 },
            ],
          },
        },
      },
    ]);
  });

  test('is the cost by which the request is refused', async () => {
    const told = (await ask(EXPENSIVE, { explain: 'cost' })).body.extensions!.explain;
    expect(told).toMatchObject({ cost: 100_201, limit: 50_000 });
    for (const explain of [undefined, 'run']) {
      const { status, body } = await ask(EXPENSIVE, { explain });
      expect([status, body.errors?.[0]?.message]).toEqual([
        400,
        expect.stringContaining('100201 fields, more than 50000'),
      ]);
    }
  });

  test('depends on variables, fragments and aliases', async () => {
    const query =
      'query($n: Int) { a: PatientList(_count: $n) { ...P } ...Q } fragment P on Patient { id name { family } } fragment Q on Query { b: PatientList(_count: 2) { ...P } }';
    const { body } = await ask(query, { explain: 'cost', variables: { n: 7 } });
    expect(body.extensions!.explain).toMatchObject({ cost: 1 + 7 * 3 + 1 + 2 * 3, depth: 3 });
    expect(body.extensions!.explain.fields).toEqual([
      { path: 'a', cost: 22 },
      { path: 'a.name', cost: 14 },
      { path: 'b', cost: 7 },
      { path: 'b.name', cost: 4 },
    ]);
  });
});

test('FG-28 the example of docs/graphql-cost.md', async () => {
  const page = await readFile(new URL('../../docs/graphql-cost.md', import.meta.url), 'utf8');
  const [request, answer] = [...page.matchAll(/```json\n(.*?)```/gs)].map(
    ([, text]) => JSON.parse(text!) as unknown,
  );
  const { query } = request as { query: string };
  expect(request).toEqual({ query, extensions: { explain: 'cost' } });
  expect((await ask(query, { explain: 'cost' })).body).toEqual(answer);
});

describe('FG-28 a request that runs', () => {
  test.each([
    ['open', 'clinical (store)', 'images[0] (folder)'],
    ['remote', 'clinical (fhir)', 'images[0] (dicom-web)'],
  ])('tells its plan and its calls: %s', async (tenant, clinical, images) => {
    const plain = await ask(DIRECT, { tenant });
    const { body } = await ask(DIRECT, { tenant, explain: 'run' });
    expect(body.data).toEqual(plain.body.data);
    expect(plain.body.extensions).toBeUndefined();
    expect(body.data!.Patient!.ImagingStudyList.length).toBeGreaterThan(0);
    const { explain } = body.extensions!;
    expect(explain).toMatchObject({ cost: 105, limit: 50_000, plan: { kind: 'direct' } });
    const calls = explain.calls!;
    expect(calls).toContainEqual(
      expect.objectContaining({
        source: clinical,
        request: expect.stringMatching(/^search Condition\?_count=\d+&.*patient/) as string,
      }),
    );
    expect(calls.every(({ source }) => [clinical, images].includes(source))).toBe(true);
    for (const { at, milliseconds } of calls) {
      expect(at).toBeGreaterThanOrEqual(0);
      expect(at + milliseconds).toBeLessThanOrEqual(explain.milliseconds! + 1);
    }
    // Neither hosts nor values of the patient.
    const told = JSON.stringify(explain);
    expect(told).not.toMatch(/https?:|127\.0\.0\.1/);
    expect(told).not.toContain(PATIENT);
  });

  test.each([
    ['open', 'clinical (store)', 'images[0] (folder)'],
    ['remote', 'clinical (fhir)', 'images[0] (dicom-web)'],
  ])('tells the plan over both subgraphs: %s', async (tenant, clinical, images) => {
    gateway.forget();
    const { body } = await ask(PLANNED, { tenant, explain: 'run' });
    expect(body.errors).toBeUndefined();
    const { plan, calls } = body.extensions!.explain;
    expect(plan).toEqual({
      kind: 'direct',
      text: [
        'Patient: clinical',
        `Patient.ImagingStudyList: imaging${isSplit ? ', by id of Patient' : ''}`,
        'Patient.ImagingStudyList.DiagnosticReportList: clinical, by id, _patientId, _accessionNumbers, _studyUid of ImagingStudy',
      ].join('\n'),
    });
    const sources = new Set(calls!.map(({ source }) => source));
    expect(sources).toEqual(new Set([clinical, images]));
    expect(calls).toContainEqual(
      expect.objectContaining({
        source: images,
        request: expect.stringMatching(/^search (studies|series)/) as string,
      }),
    );
  });

  test('is explained at $graphql too', async () => {
    const explained = async (explain: string) =>
      gateway.app.inject({
        method: 'POST',
        url: `/open/fhir/Patient/${PATIENT}/$graphql`,
        payload: { query: '{ name @first { family } }', extensions: { explain } },
      });
    const answer = await explained('run');
    expect((await explained('cost')).json()).toMatchObject({
      extensions: { explain: { cost: 3, depth: 3 } },
    });
    expect(answer.json()).toMatchObject({
      data: { name: [{ family: expect.any(String) as string }] },
      extensions: { explain: { plan: { kind: 'direct' } } },
    });
  });

  test('tells a call that fails', async () => {
    const { body } = await ask(
      '{ ConditionList(patient: ["nobody"], _count: 1, onset_date: ["x"]) { id } }',
      { explain: 'run' },
    );
    expect(body.errors).toHaveLength(1);
    expect(body.extensions!.explain.plan).toMatchObject({ kind: 'direct' });
    expect(body.extensions!.explain.calls).toEqual([
      expect.objectContaining({ source: 'clinical (store)', error: 'invalid_request' }),
    ]);
  });
});

describe('FG-28 is refused or ignored', () => {
  test.each([
    [
      'where the tenant does not allow it',
      DIRECT,
      { explain: 'cost', tenant: 'silent' },
      400,
      /graphql\.explain is off/,
    ],
    ['with another value', DIRECT, { explain: true }, 400, /"cost" or "run"/],
    [
      'for an introspection',
      '{ __schema { queryType { name } } }',
      { explain: 'run' },
      400,
      /no plan to explain/,
    ],
    ['for a mutation', 'mutation { a }', { explain: 'cost' }, 400, /Only queries/],
    ['for a document with an error of syntax', '{ Patient(', { explain: 'cost' }, 400, /Syntax Error/],
    [
      'for a document that is too deep',
      `{ Patient(id: "1") ${'{ a '.repeat(40)}${'}'.repeat(41)}`,
      { explain: 'cost' },
      400,
      /more than 30 levels/,
    ],
  ] as const)('%s', async (_what, query, options, status, message) => {
    const answer = await ask(query, options);
    expect([answer.status, answer.body.errors?.[0]?.message, answer.body.extensions]).toEqual([
      status,
      expect.stringMatching(message),
      undefined,
    ]);
  });
});
