/** The examples of the playground: each runs on the demonstration and answers its question, by GraphQL and by REST. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXAMPLES, variablesOf } from '../../viewer/src/playground/examples/examples.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { startDemoGateway, type DemoGateway } from './clients/demo-gateway.ts';

let gateway: DemoGateway;
beforeAll(async () => {
  gateway = await startDemoGateway();
}, 60_000);
afterAll(() => gateway?.close());

/** What has to be in the answers, by GraphQL and by REST. */
const ANSWERS: Record<string, { graph: readonly string[]; rest?: string }> = {
  'record-and-images': {
    graph: ['"Castellanos"', '"Essential hypertension"', '"modality":[{"code":"CT"}', '/thumbnail'],
    rest: '"resourceType":"ImagingStudy"',
  },
  timeline: { graph: ['"kind":"report"', '"title":"CT chest without contrast, follow-up of nodule"'] },
  'reports-with-images': {
    graph: ['"conclusion":"1. Solid 6 mm nodule', '"description":"CT chest without contrast, low dose"'],
    rest: '"resourceType":"DiagnosticReport"',
  },
  'results-around-a-study': {
    graph: ['"valueQuantity":{"value":1.41,"unit":"mg/dL"}', '"code":"H"', '"started":"2026-10-14'],
    rest: '"resourceType":"Observation"',
  },
  trend: { graph: ['"points":[{"date":"2023-09-05', '"kind":"study"'] },
  'tumour-over-time': {
    graph: [
      '"text":"Long Axis"},"valueQuantity":{"value":6,',
      '"text":"Long Axis"},"valueQuantity":{"value":9,',
    ],
  },
  'ct-since': { graph: ['"count":4', '"reference":"Patient/demo-tomas-novak"'], rest: '"total":4' },
  'condition-without-images': {
    graph: ['"family":"Castellanos"}],"birthDate":"1963-05-17","mri":[]', '"family":"Whitfield"'],
    rest: '"family":"Whitfield"',
  },
  'modality-by-year': {
    graph: [
      '"count":17,"modalities":[{"value":"MR","count":7}',
      '"years":[{"value":"2026","count":10},{"value":"2025","count":4},{"value":"2024","count":1},{"value":"2019",',
      '"xRay":{"years":[{"value":"2026","count":2},{"value":"2019","count":1}]',
    ],
  },
  'diagnosis-and-ct': {
    graph: ['"family":"Castellanos"}],"birthDate":"1963-05-17","ct":{"count":2}', '"ct":{"count":0}'],
    rest: '"total":2',
  },
};

describe.each(['token', 'analystToken'] as const)('by the %s of the demonstration', (whose) => {
  let headers: Record<string, string>;
  beforeAll(async () => {
    headers = { authorization: `Bearer ${await gateway[whose]()}`, 'content-type': 'application/json' };
  });

  test.each(EXAMPLES)('$question', async (example) => {
    const expected = ANSWERS[example.id]!;
    const variables = JSON.parse(variablesOf(example, DEMO_PATIENT) || '{}') as object;
    const body = JSON.stringify({ query: example.query, variables });
    const answer = await fetch(`${gateway.tenant}/graphql`, { method: 'POST', headers, body });
    const text = await answer.text();
    expect(text).not.toContain('"errors"');
    for (const part of expected.graph) expect(text).toContain(part);
    expect(example.rest === undefined).toBe(expected.rest === undefined);
    if (example.rest === undefined) return;
    const url = `${gateway.tenant}${example.rest.replace('{id}', DEMO_PATIENT)}`;
    const read = await fetch(url, { headers });
    expect(read.status).toBe(200);
    expect(await read.text()).toContain(expected.rest);
  });
});
