import type { OperationDefinitionNode } from 'graphql';
import { buildSchema, parse } from 'graphql';
import { expect, test } from 'vitest';
import { parseScopes } from '../../../schema/access/scopes.ts';
import { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import { compile } from '../executor/compile.ts';
import { TextMemory } from '../executor/kept-texts.ts';
import { rootOf, Run } from '../executor/run.ts';
import { objectText } from '../executor/write.ts';
import { FieldScopes } from './field-scopes.ts';

/** Values that a subgraph gives without checking scopes: the gateway refuses their types (FG-31). */

const SDL = `
type Query
{
  goal: Goal
  goals: [Goal]
  any: Any
  flag: Flag
}

type Goal
  @requiresScopes(scopes: [["Goal.r"], ["Goal.s"]])
{
  id: ID
}

type Flag
{
  contained: [Any]
}

union Any = Goal | Flag
`;
const schema = buildSchema(SDL, { assumeValidSDL: true });
const goal = { __typename: 'Goal', id: '1' };
const ROOT = { goal, goals: [goal], any: goal, flag: { __typename: 'Flag', contained: [goal] } };
const QUERY =
  '{ goal { id } goals { id } any { __typename ... on Goal { id } } flag { contained { ... on Goal { id } } } }';

async function answer(scope: string) {
  const document = parse(QUERY);
  const operation = document.definitions[0] as OperationDefinitionNode;
  const access = { tenant: 't', patients: 'all', permissions: parseScopes(scope), expires: 0 } as const;
  const scopes = new FieldScopes(SDL);
  const refusals = scopes.refusals(scopes.needs({ document, schema }), access);
  const subgraphs = { clinical: schema, imaging: buildSchema('type Query { none: Int }') };
  const form = { texts: new TextMemory(), defers: false, variables: {}, refusals };
  const { root } = compile({ schema, subgraphs, fragments: new Map(), ...form }, operation)!;
  const context = { budget: new AnswerBudget(100), partial: [], request: { access } };
  const run = new Run(context, { schema, operation, fragments: {}, variableValues: {} });
  const data = JSON.parse(await objectText(root, ROOT, rootOf(run))) as unknown;
  return { data, errors: run.errors.map(({ error }) => [error.path?.join('.'), error.message]) };
}

(schema.getType('Any') as { resolveType?: unknown }).resolveType = ({ __typename }: typeof goal) =>
  __typename;

test('a type is refused in a field, a list and a union, but not within another resource', async () => {
  const needed =
    "The token's scopes do not cover this request: patient/Goal.r is needed. Get a token with it.";
  const flag = { contained: [{ id: '1' }] };
  expect(await answer('patient/Flag.rs')).toEqual({
    data: { goal: null, goals: [null], any: null, flag },
    errors: ['goal', 'goals.0', 'any'].map((path) => [path, needed]),
  });
  const any = { __typename: 'Goal', id: '1' };
  expect(await answer('patient/Goal.s')).toEqual({
    data: { goal: { id: '1' }, goals: [{ id: '1' }], any, flag },
    errors: [],
  });
});
