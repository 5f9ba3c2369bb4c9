import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'SECURITY.md'), 'utf8');
const paths = (text: string) => [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path!.split('#')[0]!);
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| threat'))
  .map((line) => line.slice(2, -2).split(' | '));

test('every file that SECURITY.md names exists', () => {
  expect(paths(page).filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('SECURITY.md lists each threat once', () => {
  expect(rows.length).toBeGreaterThan(40);
  expect(new Set(rows.map(([threat]) => threat)).size).toBe(rows.length);
});

test.each(rows)('%s: has a defence, code and tests', (_threat, defence, code, tests) => {
  expect(defence!.length).toBeGreaterThan(10);
  expect(paths(code!).filter((path) => !path.endsWith('.test.ts'))).not.toEqual([]);
  expect(paths(tests!)).not.toEqual([]);
  expect(paths(tests!).filter((path) => !path.endsWith('.test.ts'))).toEqual([]);
});
