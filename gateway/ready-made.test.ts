import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { READY_MADE, readyMadeCommand } from './ready-made.ts';

test('the README shows the request that the start prints', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme).toContain(JSON.stringify(READY_MADE));
  expect(readyMadeCommand('http://localhost:4000')).toContain(JSON.stringify(READY_MADE));
});
