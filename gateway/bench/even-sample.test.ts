import { expect, test } from 'vitest';
import { Random } from '../test/setup/random.ts';
import { byKind, evenSample } from './even-sample.ts';

const LETTERS = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1'];
const letterOf = (one: string) => one[0]!;

test.each([
  [3, 'abc'],
  [5, 'abcab'],
  [6, 'abcaba'],
  [99, 'abcabaa'],
])('%d of some are of the kinds %s, none twice', (count, kinds) => {
  const chosen = evenSample(LETTERS, letterOf, { count, random: new Random(1) });
  expect(chosen.map(letterOf).join('')).toBe(kinds);
  expect(new Set(chosen).size).toBe(chosen.length);
});

test('the same seed chooses the same', () => {
  const choose = () => evenSample(LETTERS, letterOf, { count: 4, random: new Random(7) });
  expect(choose()).toEqual(choose());
});

test('what belongs to a kind keeps its order', () => {
  expect([...byKind(['b1', 'a1', 'b2'], letterOf)]).toEqual([
    ['b', ['b1', 'b2']],
    ['a', ['a1']],
  ]);
});
