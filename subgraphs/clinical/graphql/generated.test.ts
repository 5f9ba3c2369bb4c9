import { isObjectType } from 'graphql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startClinical } from '../test/servers.ts';

let clinical: Awaited<ReturnType<typeof startClinical>>;
beforeAll(async () => {
  clinical = await startClinical();
});
afterAll(() => clinical.end());

it('FG-1 every field of Query, every list and every connection of the generated schema is resolved', () => {
  const { schema } = clinical.subgraph;
  const fields = Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .filter(({ name }) => !name.startsWith('_'))
    .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type: type.name, field })))
    .filter(({ type, field }) => type === 'Query' || /[a-z](List|Connection)$/.test(field.name));
  const unresolved = fields.filter(({ field }) => field.resolve === undefined);
  expect(fields.length).toBeGreaterThan(500);
  expect(unresolved.map(({ type, field }) => `${type}.${field.name}`)).toEqual([]);
});
