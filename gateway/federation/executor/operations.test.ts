import { buildSchema, parse, type DocumentNode, type OperationDefinitionNode } from 'graphql';
import { describe, expect, test } from 'vitest';
import { documentIdOf } from '../../../schema/graphql/trusted-manifest.ts';
import type { CompiledOperation } from './compiled.ts';
import type { MadePlan } from './operation.ts';
import { BYTES_OF_CHARACTER, KEPT_BYTES, Operations } from './operations.ts';

const schema = buildSchema('type Query { a: Int }');
/** Characters of the largest document that is kept. */
const MOST = KEPT_BYTES / 4 / BYTES_OF_CHARACTER - 10;
const textOf = (name: string, length = 40) => `query ${name} { a }`.padEnd(length, ' ');

function sent(source: string, document: DocumentNode = parse(source)) {
  const operation = document.definitions[0] as OperationDefinitionNode;
  return { source, schema, document, operation };
}

test('documents are kept up to a number of bytes, the most recently used ones first', () => {
  const operations = new Operations();
  const names = ['A', 'B', 'C', 'D', 'E', 'F'];
  for (const name of names) {
    operations.of(sent(textOf(name, MOST)));
    operations.document(textOf('A', MOST));
  }
  expect(names.filter((name) => operations.document(textOf(name, MOST)))).toEqual(['A', 'D', 'E', 'F']);
  expect(operations.bytes).toBeLessThan(KEPT_BYTES);
});

test('a document that takes more than its share is not kept, and takes no other with it', () => {
  const operations = new Operations();
  operations.of(sent(textOf('Small')));
  expect(operations.of(sent(textOf('Large', 2 * MOST)))).toBeDefined();
  const growing = operations.of(sent(textOf('Growing')));
  const form = { fields: KEPT_BYTES / 500 } as CompiledOperation;
  expect(growing.form('', () => form)).toBe(form);
  expect(operations.find(textOf('Large', 2 * MOST), 'Large')).toBeUndefined();
  expect(operations.find(textOf('Growing'), 'Growing')).toBeUndefined();
  expect(operations.find(textOf('Small'), 'Small')).toBeDefined();
});

test('Apollo Server finds a document by the hash of its text, whatever it puts before it', async () => {
  const { store } = new Operations();
  const document = parse(textOf('One'));
  const key = `schema:${documentIdOf(textOf('One'))}`;
  await store.set(key, document);
  expect(await store.get(key)).toBe(document);
  expect(await store.get('schema:other')).toBeUndefined();
  expect(await store.delete(key)).toBe(true);
  expect(await store.get(key)).toBeUndefined();
});

test('an operation is found by its name, and without one if the document has no other', () => {
  const operations = new Operations();
  const [one, two] = [textOf('One'), 'query One { a } query Two { a }'];
  const taken = operations.of(sent(one));
  expect(operations.of(sent(one, operations.document(one)))).toBe(taken);
  expect([undefined, 'One', 'Two', ''].map((name) => operations.find(one, name))).toEqual([
    taken,
    taken,
    undefined,
    undefined,
  ]);
  const first = operations.of(sent(two));
  expect([undefined, 'One', 'Two'].map((name) => operations.find(two, name))).toEqual([
    undefined,
    first,
    undefined,
  ]);
});

test('an operation is compiled and planned once for each key; a plan that failed is made again', async () => {
  const operation = new Operations().of(sent(textOf('One')));
  const form = {} as CompiledOperation;
  expect(operation.form('a', () => form)).toBe(form);
  expect(operation.form('a', () => undefined)).toBe(form);
  expect(operation.form('b', () => undefined)).toBeUndefined();
  const made = { plan: {}, characters: 10 } as MadePlan;
  await expect(operation.plan('a', () => Promise.reject(new Error('busy')))).rejects.toThrow('busy');
  const plans = [
    operation.plan('a', async () => made),
    operation.plan('a', async () => ({ ...made, plan: {} }) as MadePlan),
  ];
  expect(await Promise.all(plans)).toEqual([made.plan, made.plan]);
  expect(await plans[1]).toBe(made.plan);
});

test('an operation keeps nothing of the request that sent it first', () => {
  const request = { ...sent(textOf('One')), contextValue: { token: 'secret' }, response: {} };
  const { valid } = new Operations().of(request);
  expect(Object.keys(valid).sort()).toEqual(['document', 'operation', 'schema', 'source']);
});

describe('a text that was not sent before', () => {
  const read = (source: string) => {
    const document = parse(source, { noLocation: true });
    return { source, schema, document, operation: document.definitions[0] as OperationDefinitionNode };
  };

  test('is of a known shape when a document of it was executed', () => {
    const operations = new Operations();
    expect(operations.ofKnownShape(read('query New { a }'))).toBeUndefined();
    const first = operations.of(sent('query First { a }'));
    expect(operations.ofKnownShape(read('query New { a }'))).toBeUndefined();
    first.facts.isExecuted = true;
    const found = operations.ofKnownShape(read('query New { a }'));
    expect(found?.valid.operation.name?.value).toBe('New');
    expect(found?.facts).toBe(first.facts);
    expect(operations.ofKnownShape(read('query New { a b: a }'))).toBeUndefined();
  });

  test('is kept when it is sent again; Apollo Server is not given it, because it has no positions', async () => {
    const operations = new Operations();
    operations.of(sent('query First { a }')).facts.isExecuted = true;
    const bytes = operations.bytes;
    operations.ofKnownShape(read('query New { a }'));
    expect(operations.find('query New { a }', 'New')).toBeUndefined();
    expect(operations.bytes - bytes).toBeLessThan(200);
    const again = operations.ofKnownShape(read('query New { a }'));
    expect(operations.find('query New { a }', 'New')).toBe(again);
    expect(await operations.store.get(documentIdOf('query New { a }'))).toBeUndefined();
  });
});
