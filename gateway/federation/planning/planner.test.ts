import { print, stripIgnoredCharacters, type DocumentNode } from 'graphql';
import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { Planner } from './planner.ts';

const sdl = (name: string) => readFileSync(new URL(`../../../schema/${name}.graphql`, import.meta.url));
const planner = new Planner({ supergraphSdl: sdl('supergraph'), apiSdl: sdl('api') });
afterAll(() => planner.close());

const source = `query One { Patient(id: "1") { id ImagingStudyList { id } } } query Two { Endpoint(id: "1") { id } }`;

test('an operation is planned with the fetches of its fields, whose documents are parsed', async () => {
  const { plan, characters } = await planner.plan({ source, operationName: 'One' });
  const two = await planner.plan({ source, operationName: 'Two' });
  expect(JSON.stringify(plan)).toContain('"serviceName":"clinical"');
  expect(JSON.stringify(two.plan)).not.toContain('"serviceName":"clinical"');
  const fetch = two.plan.node as { operation: string; operationDocumentNode: DocumentNode };
  expect(stripIgnoredCharacters(print(fetch.operationDocumentNode))).toBe(
    stripIgnoredCharacters(fetch.operation),
  );
  expect(characters).toBeGreaterThan(100);
});

test('an operation that cannot be planned fails, and no other with it', async () => {
  const broken = { source: '{ Nothing { id } }', operationName: undefined };
  const refusal = { code: 'internal', message: 'The operation could not be planned.' };
  await expect(planner.plan(broken)).rejects.toMatchObject(refusal);
  expect(await planner.plan({ source, operationName: 'Two' })).toMatchObject({ plan: { kind: 'QueryPlan' } });
});
