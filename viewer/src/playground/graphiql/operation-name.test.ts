import { expect, test } from 'vitest';
import { operationName } from './operation-name.ts';

const TWO = 'query A { __typename } query B { __typename }';

test.each([
  ['the one that was chosen', TWO, 'B', 'B'],
  ['none of the text before', 'query A { __typename }', 'B', undefined],
  ['none of an operation without a name', '{ __typename }', null, undefined],
  ['none of a fragment', 'query A { ...B } fragment B on Query { __typename }', 'B', undefined],
  ['none of a text that is no document', 'query B {', 'B', undefined],
])('the operation that is sent is %s', (_, query, name, expected) => {
  expect(operationName(query, name)).toBe(expected);
});
