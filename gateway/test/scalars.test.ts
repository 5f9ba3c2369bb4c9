/** FG-1: each scalar of the graph is of the JSON type that docs/graphql-schema.md and docs/build-an-app.md give to code generators. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const directory = mkdtempSync(join(tmpdir(), 'scalars-'));
const patients = join(directory, 'patient.ndjson');
let gateway: TestGateway;
beforeAll(async () => {
  const patient = {
    resourceType: 'Patient',
    id: 'p',
    birthDate: '1970',
    name: [{ use: 'official', family: 'A' }],
  };
  const observation = {
    resourceType: 'Observation',
    id: 'o',
    subject: { reference: 'Patient/p' },
    effectiveDateTime: '2026-01',
    issued: '2026-01-02T03:04:05Z',
    valueQuantity: { value: 1.5 },
    component: [{ valueTime: '12:30:00' }],
  };
  writeFileSync(patients, `${JSON.stringify(patient)}\n${JSON.stringify(observation)}\n`);
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

test('dates, times and codes are text, decimals are numbers', async () => {
  const query = `query ($use: code) {
    Patient(id: "p") { birthDate name(use: $use) { family } }
    Observation(id: "o") { effectiveDateTime issued valueQuantity { value } component { valueTime } }
  }`;
  const payload = { query, variables: { use: 'official' } };
  const answer = await gateway.app.inject({ method: 'POST', url: '/t/graphql', payload });
  expect(answer.json()).toEqual({
    data: {
      Patient: { birthDate: '1970', name: [{ family: 'A' }] },
      Observation: {
        effectiveDateTime: '2026-01',
        issued: '2026-01-02T03:04:05Z',
        valueQuantity: { value: 1.5 },
        component: [{ valueTime: '12:30:00' }],
      },
    },
  });
});

test('the documents say so', () => {
  const page = (name: string) => readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8');
  expect(page('graphql-schema.md')).toContain(
    '| `date`, `dateTime`, `instant`, `time`, `code` | text | `string` |',
  );
  expect(page('graphql-schema.md')).toMatch(/^\| `decimal` \| a number .* \| `number` \|$/m);
  const code = page('build-an-app.md');
  for (const name of ['date', 'dateTime', 'instant', 'time', 'code'])
    expect(code).toContain(`${name}: 'string'`);
  expect(code).toContain("decimal: 'number'");
});
