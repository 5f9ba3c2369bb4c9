/**
 * What fields of each kind of nullability become of values that are there, missing, wrong or late: the same as by graphql-js,
 * which executes the subgraphs behind a stock gateway (GraphQL §6.4.4).
 */
import type { GraphQLObjectType, GraphQLSchema, OperationDefinitionNode } from 'graphql';
import { buildSchema, execute, parse } from 'graphql';
import { expect, test } from 'vitest';
import { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import { compile } from '../../federation/executor/compile.ts';
import { TextMemory } from '../../federation/executor/kept-texts.ts';
import { rootOf, Run } from '../../federation/executor/run.ts';
import { objectText } from '../../federation/executor/write.ts';

const TYPES = ['T', 'T!', '[T]', '[T!]', '[T]!', '[T!]!', '[[T]]', '[[T!]]', '[[T!]!]', '[[T!]!]!'];
/** Returns a rejected promise that nobody has to await: a field of another type does not. */
function rejected(message: string): Promise<never> {
  const promise = Promise.reject(new Error(message));
  promise.catch(() => undefined);
  return promise;
}

/** Makes values, anew for each execution. */
const VALUES: Readonly<Record<string, (one: unknown) => unknown>> = {
  one: (one) => one,
  null: () => null,
  undefined: () => undefined,
  'an error': () => new Error('given'),
  'a thrown error': () => {
    throw new Error('thrown');
  },
  'a late value': (one) => Promise.resolve(one),
  'a late error': () => rejected('late'),
  'late null': () => Promise.resolve(null),
  'a wrong type': () => ({ toString: 0 }),
  'not a number': () => Number.NaN,
  'an empty list': () => [],
  'a list': (one) => [one, one],
  'a list with null': (one) => [one, null, one],
  'a list with errors': (one) => [new Error('first'), one, new Error('last')],
  'a list with a late error': (one) => [one, rejected('late item')],
  'a list of late values': (one) => [Promise.resolve(one), Promise.resolve(null), one],
  'a set': (one) => new Set([one]),
  'a text for a list': () => 'text',
  'nested lists': (one) => [[one], [one, null], [Promise.resolve(one)]],
  'nested lists with null': (one) => [[one], null],
  'nested lists with a late error': (one) => [[one], Promise.resolve([rejected('inner')])],
};
/** Values of the type T: a number, or an object whose fields succeed or fail. */
const ONES: readonly (readonly [leaf: boolean, one: unknown])[] = [
  [true, 1],
  [true, 'x'],
  [false, { must: 1, may: 2 }],
  [false, { must: null, may: 'x' }],
  [false, { must: () => rejected('late field'), may: 1 }],
  [false, { must: () => Promise.resolve(1), may: () => Promise.resolve(null) }],
];
const DOCUMENT = '{ before around { field SELECTED after } sure { field SELECTED } after: before }';

test.each(TYPES)('%s is the same as by graphql-js', async (type) => {
  for (const [name, value] of Object.entries(VALUES)) {
    for (const [isLeaf, one] of ONES) {
      // There graphql-js leaves rejected promises behind when an item fails at once, which fail a test.
      const isLate = name.includes('late') || typeof (one as { must?: unknown }).must === 'function';
      if (isLate && type.includes('!]')) continue;
      const schema = buildSchema(`
        type Query { before: Int around: Around sure: Around! }
        type Around { field: ${type.replace('T', isLeaf ? 'Int' : 'Part')} after: Int }
        type Part { must: Int! may: Int }`);
      const { field } = (schema.getType('Around') as GraphQLObjectType).getFields();
      field!.resolve = () => value(one);
      const query = DOCUMENT.replaceAll('SELECTED', isLeaf ? '' : '{ must may }');
      const shown = `${name} of ${JSON.stringify(one)}`;
      expect([shown, await compiled(schema, query)]).toEqual([shown, await executed(schema, query)]);
    }
  }
});

const ROOT = { before: 1, around: { after: 2 }, sure: {} };

async function executed(schema: GraphQLSchema, query: string) {
  const { data, errors = [] } = await execute({ schema, document: parse(query), rootValue: ROOT });
  return { data: data ? JSON.stringify(data) : undefined, errors: shownErrors(errors) };
}

async function compiled(schema: GraphQLSchema, query: string) {
  const operation = parse(query).definitions[0] as OperationDefinitionNode;
  const subgraphs = { clinical: schema, imaging: buildSchema('type Query { none: Int }') };
  const found = compile(
    { schema, subgraphs, fragments: new Map(), variables: {}, texts: new TextMemory(), defers: false },
    operation,
  )!;
  const run = new Run(
    { budget: new AnswerBudget(1_000), partial: [] },
    { schema, operation, fragments: {}, variableValues: {} },
  );
  let data: string | undefined;
  let refused: unknown[] = [];
  try {
    data = await objectText(found.root, ROOT, rootOf(run));
  } catch (error) {
    refused = [error];
  }
  return { data, errors: shownErrors([...run.errors.map(({ error }) => error), ...refused]) };
}

const shownErrors = (errors: readonly unknown[]): string[] =>
  errors.map((error) => JSON.stringify(error)).sort();
