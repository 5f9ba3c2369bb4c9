import { expect, test } from 'vitest';
import { KeptAnswers } from './kept-answers.ts';

test('gives the same values for the same text, and others for another one', () => {
  const kept = new KeptAnswers();
  const text = '{"data":{"Patient":{"id":"a","ratio":1.10}}}';
  const values = kept.of(text) as { data: { Patient: object } };
  expect(kept.of(`${text}`)).toBe(values);
  expect(kept.of(text.replace('"a"', '"b"'))).toEqual({
    data: { Patient: { id: 'b', ratio: '\uE0001.10' } },
  });
  expect(Object.isFrozen(values.data.Patient)).toBe(true);
});

test('refuses what is no JSON, each time', () => {
  const kept = new KeptAnswers();
  for (let time = 0; time < 2; time++) expect(() => kept.of('<html>')).toThrow(SyntaxError);
});
