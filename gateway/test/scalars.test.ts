/** FG-1: each scalar of the graph is of the JSON type that docs/graphql-schema.md and docs/build-an-app.md give to code generators. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { recordGateway } from './record-gateway.ts';

const PATIENT = {
  resourceType: 'Patient',
  id: 'p',
  birthDate: '1970',
  name: [{ use: 'official', family: 'A' }],
};
const OBSERVATION = {
  resourceType: 'Observation',
  id: 'o',
  subject: { reference: 'Patient/p' },
  effectiveDateTime: '2026-01',
  issued: '2026-01-02T03:04:05Z',
  valueQuantity: { value: 1.5 },
  component: [{ valueTime: '12:30:00' }],
};
const post = recordGateway(`${JSON.stringify(PATIENT)}\n${JSON.stringify(OBSERVATION)}\n`);

test('dates, times and codes are text, decimals are numbers', async () => {
  const query = `query ($use: code) {
    Patient(id: "p") { birthDate name(use: $use) { family } }
    Observation(id: "o") { effectiveDateTime issued valueQuantity { value } component { valueTime } }
  }`;
  const answer = await post('/t/graphql', { query, variables: { use: 'official' } });
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
