import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const directory = mkdtempSync(join(tmpdir(), 'decimal-'));
const patients = join(directory, 'observation.json');
let gateway: TestGateway;

beforeAll(async () => {
  writeFileSync(
    patients,
    '{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.10},"subject":{"reference":"Patient/p"}}',
  );
  const authorization = { type: 'mock', disableAuthzChecks: true };
  const images = { type: 'folder', path: directory, lookup: 'all-studies-on-server' };
  const clinical = { type: 'store', path: patients };
  gateway = await buildTestGateway(() => ({ t: { authorization, clinical, images } }), {
    images: directory,
    patients,
  });
});
afterAll(async () => {
  await gateway.close();
  rmSync(directory, { recursive: true });
});

test.each([
  ['/t/graphql', '{ Observation(id: "o") { valueQuantity { value } } }'],
  ['/t/graphql', '{ ObservationList(value_quantity: "1.1") { valueQuantity { value } } }'],
  ['/t/fhir/$graphql', '{ Observation(id: "o") { valueQuantity { value } } }'],
])('FG-4 a decimal keeps its precision through %s of %s', async (url, query) => {
  const { body } = await gateway.app.inject({ method: 'POST', url, payload: { query } });
  expect(body).toContain('"valueQuantity":{"value":1.10}');
});
