import { expect, test } from 'vitest';
import { KeptTexts, TextMemory } from './kept-texts.ts';

const kept = (text: string) => ({ text, charged: 0 });

test('the text of a frozen object is kept; that of another, and of a text in place of an object, is not', () => {
  const texts = new KeptTexts(new TextMemory());
  const frozen = Object.freeze({ id: '1' });
  const open = { id: '1' };
  for (const source of [frozen, open, 'wrong' as unknown as object]) texts.keep(source, kept('{}'));
  expect(texts.of(frozen)).toEqual(kept('{}'));
  expect(texts.of(open)).toBeUndefined();
  expect(texts.of('wrong' as unknown as object)).toBeUndefined();
});

test('all texts of all selections are forgotten when there are too many characters', () => {
  const memory = new TextMemory();
  const [one, other] = [new KeptTexts(memory), new KeptTexts(memory)];
  const [first, second] = [Object.freeze({}), Object.freeze({})];
  one.keep(first, kept('{}'));
  other.keep(second, kept('x'.repeat(32_000_000)));
  expect(one.of(first)).toBeUndefined();
  expect(other.of(second)?.text).toHaveLength(32_000_000);
});
