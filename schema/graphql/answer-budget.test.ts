import { buildSchema, execute, parse } from 'graphql';
import { expect, test } from 'vitest';
import { AnswerBudget, chargeLists } from './answer-budget.ts';

const schema = buildSchema(`
  type Query { study: Study  studies: [Study]  both: [Either] }
  type Study { id: ID  code: Code  series: [Series!]!  names: [String] }
  type Series { uid: ID  code: Code }
  type Code { system: String  code: String }
  union Either = Study | Series
`);
chargeLists(schema);
const code = { system: 's', code: 'c' };
const series = (count: number) => Array.from({ length: count }, (_, i) => ({ uid: String(i), code }));
const study = (count: number) => ({
  __typename: 'Study',
  id: '1',
  code,
  series: series(count),
  names: ['a', 'b'],
});
const rootValue = {
  study: study(100),
  studies: async () => [study(2), study(3)],
  both: [study(1), { __typename: 'Series', uid: '1' }],
};

async function run(query: string, most = 1e6) {
  let spent = 0;
  const budget = new (class extends AnswerBudget {
    override charge(fields: number): void {
      spent += fields;
      super.charge(fields);
    }
  })(most);
  const { data, errors } = await execute({
    schema,
    document: parse(query),
    rootValue,
    contextValue: { budget },
  });
  expect(errors).toBeUndefined();
  return { data: JSON.parse(JSON.stringify(data)) as Record<string, never>, spent, budget };
}

test.each([
  ['fields outside of lists are free', '{ study { id code { code } names } }', 0],
  ['an item costs one, and one for each field', '{ study { id series { uid } } }', 200],
  ['the fields of objects in an item count', '{ study { series { uid code { system code } } } }', 500],
  ['a list in a list costs by its length', '{ studies { id series { uid } } }', 2 * 3 + 2 * (2 + 3)],
  ['each alias counts', '{ study { a: series { uid } b: series { a: uid b: uid } } }', 500],
  ['merged selections count', '{ study { series { uid } series { code { code } } } }', 400],
  [
    'fragments count',
    '{ study { series { ...S ... { uid } } } } fragment S on Series { code { code } }',
    400,
  ],
  ['each member of a union counts', '{ both { ... on Study { id names } ... on Series { uid } } }', 8],
])('%s', async (_what, query, cost) => {
  expect((await run(query)).spent).toBe(cost);
});

test('a long list is complete and in order, and does not block the event loop', async () => {
  rootValue.study = study(20_000);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const { data } = await run('{ study { series { uid code { code } } } }');
  clearInterval(timer);
  expect(data).toEqual({
    study: { series: series(20_000).map(({ uid }) => ({ uid, code: { code: 'c' } })) },
  });
  expect(turns).toBeGreaterThan(2);
});

test('many short lists do not block the event loop', async () => {
  rootValue.study = study(1000);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const aliases = Array.from({ length: 40 }, (_, i) => `a${i}: series { uid }`).join(' ');
  const { data } = await run(`{ study { ${aliases} } }`);
  clearInterval(timer);
  expect(Object.values(data['study']!).map((list) => (list as unknown[]).length)).toEqual(
    Array(40).fill(1000),
  );
  expect(turns).toBeGreaterThan(2);
});

test('when the budget is exceeded, further lists are empty and the answer is refused', async () => {
  rootValue.study = study(100);
  const { data, budget } = await run(
    '{ study { a: series { uid } b: series { uid } c: series { uid } } }',
    350,
  );
  expect(data['study']).toEqual({ a: series(100).map(({ uid }) => ({ uid })), b: [], c: [] });
  expect(() => budget.requireNotExceeded()).toThrow(
    expect.objectContaining({ code: 'too_large', message: expect.stringMatching(/more than 350 fields/) }),
  );
  const within = await run('{ study { a: series { uid } } }', 200);
  expect(() => within.budget.requireNotExceeded()).not.toThrow();
});
