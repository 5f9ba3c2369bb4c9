import { expect, test } from 'vitest';
import { isSameAnswer, type Answered } from './same-answers.ts';

const ANSWER: Answered = { status: 200, text: '', data: { a: 1, b: [null] }, errors: 2, paths: ['["a"]'] };

test.each<[what: string, other: Partial<Answered>, isSame: boolean]>([
  ['the same', {}, true],
  ['members in another order', { data: { b: [null], a: 1 } }, true],
  ['other data', { data: { a: 2, b: [null] } }, false],
  ['all paths of the errors', { paths: ['["b",0]', '["a"]'] }, true],
  ['errors at other places', { paths: ['["b",0]'] }, false],
  ['another number of errors', { errors: 3 }, false],
  ['another status', { status: 500 }, false],
])('two answers, of which the other has %s: %s', (_what, other, isSame) => {
  expect(isSameAnswer(ANSWER, { ...ANSWER, ...other })).toBe(isSame);
});
