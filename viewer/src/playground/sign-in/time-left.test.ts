import { expect, test } from 'vitest';
import { pastedGrant } from './pasted-token.ts';
import { timeLeft } from './time-left.ts';

const NOW = 1_800_000_000_000;

test.each([
  [300, false, 'ends in 5 minutes'],
  [119, false, 'ends in 1 minute'],
  [59, false, 'ends in less than a minute'],
  [-1, false, 'ends in less than a minute'],
  [7199, false, 'ends in 119 minutes'],
  [7200, false, 'ends in 2 hours'],
  [3 * 86_400, false, 'ends in 3 days'],
  // That of the page, by its refresh token.
  [3600, true, 'renewed by itself'],
])('a token of %d seconds, renewed: %s', (seconds, isRenewed, words) => {
  expect(timeLeft({ expires: NOW + seconds * 1000, isRenewed }, NOW)).toBe(words);
});

test('a pasted token that says nothing of itself has no minutes', () => {
  const { expires } = pastedGrant('opaque');
  expect(timeLeft({ expires, isRenewed: false }, NOW)).toBe('it does not say when it ends');
});
