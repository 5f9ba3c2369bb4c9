import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { Planner } from './planner.ts';

const sdl = (name: string) => readFileSync(new URL(`../../../schema/${name}.graphql`, import.meta.url));
const planner = new Planner({ supergraphSdl: sdl('supergraph'), apiSdl: sdl('api') });
afterAll(() => planner.close());

const source = `query One { Patient(id: "1") { id ImagingStudyList { id } } } query Two { Endpoint(id: "1") { id } }`;

test('an operation is planned once, also when it is asked for at the same time', async () => {
  const [one, again, two] = await Promise.all([
    planner.plan('hash', { source, operationName: 'One' }),
    planner.plan('hash', { source, operationName: 'One' }),
    planner.plan('hash', { source, operationName: 'Two' }),
  ]);
  expect(again).toBe(one);
  expect(await planner.plan('hash', { source, operationName: 'One' })).toBe(one);
  expect(JSON.stringify(one)).toContain('"serviceName":"clinical"');
  expect(JSON.stringify(two)).not.toContain('"serviceName":"clinical"');
});

test('an operation that cannot be planned fails each time, and no other with it', async () => {
  const broken = { source: '{ Nothing { id } }', operationName: undefined };
  const refusal = { code: 'internal', message: 'The operation could not be planned.' };
  await expect(planner.plan('broken', broken)).rejects.toMatchObject(refusal);
  await expect(planner.plan('broken', broken)).rejects.toMatchObject(refusal);
  expect(await planner.plan('hash', { source, operationName: 'Two' })).toMatchObject({ kind: 'QueryPlan' });
});
