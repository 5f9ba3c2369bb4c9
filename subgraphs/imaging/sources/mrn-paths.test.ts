import { afterAll, expect, test, vi } from 'vitest';
import { ExpressionPool } from '../../../schema/expressions/pool.ts';
import { mrnPaths } from './mrn-paths.ts';

const expressions = new ExpressionPool();
afterAll(() => expressions.close());

const patient = {
  resourceType: 'Patient',
  identifier: [{ value: '0042', type: { coding: [{ code: 'MR' }] } }, { value: 'x' }],
};
const PLAIN = "identifier.where(type.coding.code='MR').value";
const STRIPPED = `${PLAIN}.select(replaceMatches('^0+', ''))`;

test.each<[what: string, dynamic: boolean, path: string, values: string[], inThread: number]>([
  ['a simple path of a tenant file in the thread of the request', false, PLAIN, ['0042'], 0],
  ['another path of a tenant file in another thread', false, STRIPPED, ['42'], 1],
  ['every path of a dynamic tenant in another thread', true, PLAIN, ['0042'], 1],
])('SM-15 evaluates %s', async (_what, dynamic, path, values, inThread) => {
  const run = vi.spyOn(expressions, 'run');
  const evaluate = mrnPaths({ dynamic }, [path], expressions)();
  expect(await evaluate(path, patient)).toEqual(values);
  expect(run).toHaveBeenCalledTimes(inThread);
});

test('evaluates a simple path over a large Patient in another thread', async () => {
  const run = vi.spyOn(expressions, 'run');
  const others = Array.from({ length: 2_000 }, () => ({ value: 'x' }));
  const evaluate = mrnPaths({ dynamic: false }, [PLAIN], expressions)();
  const large = { ...patient, identifier: [...patient.identifier, ...others] };
  expect(await evaluate(PLAIN, large)).toEqual(['0042']);
  expect(run).toHaveBeenCalledTimes(1);
});

test('SM-15 refuses to evaluate a path that a dynamic tenant may not use', async () => {
  const evaluate = mrnPaths({ dynamic: true }, [STRIPPED], expressions)();
  await expect(evaluate(STRIPPED, patient)).rejects.toMatchObject({ code: 'invalid_request' });
});

test('SM-15 answers 502 for a Patient with too many identifiers', async () => {
  const identifier = Array.from({ length: 200_000 }, () => ({ value: 'x' }));
  const evaluate = mrnPaths({ dynamic: true }, [PLAIN], expressions)();
  await expect(evaluate(PLAIN, { ...patient, identifier })).rejects.toMatchObject({ code: 'bad_gateway' });
});
