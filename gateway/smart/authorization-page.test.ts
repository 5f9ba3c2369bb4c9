import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const file = join(import.meta.dirname, '../../docs/authorization.md');
const page = readFileSync(file, 'utf8');
const linked = (path: string) => join(dirname(file), path.split('#')[0]!);

/** Returns the cells of the table below a heading. */
function table(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) => row.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));
}

const links = (text: string) => [...text.matchAll(/\[`?([^\]`]+)`?\]\(([^)]+)\)/g)];

test('every file that the page names exists', () => {
  const paths = links(page).map(([, , path]) => path!);
  expect(paths.length).toBeGreaterThan(30);
  expect(paths.filter((path) => !existsSync(linked(path)))).toEqual([]);
});

const UNITS: Record<string, number> = { s: 1, min: 60, h: 3600, d: 86_400 };

describe('the lifetimes on the page are those in the code', () => {
  test.each(table('Lifetimes'))('%s: %s', (_what, written, code) => {
    const [, amount, unit] = /^(\d+) (s|min|h|d)$/.exec(written!)!;
    const [, name, path] = links(code!)[0]!;
    expect(Number(amount) * UNITS[unit!]!).toBe(secondsOf(name!, readFileSync(linked(path!), 'utf8')));
  });
});

/** Returns the only value of a name in a source file: a product of numbers, or the default of a key of a tenant file. */
function secondsOf(name: string, source: string): number {
  const values = [...source.matchAll(new RegExp(`\\b${name}(?: =|:) (.+?)[;,]?\\n`, 'g'))];
  expect(values).toHaveLength(1);
  const [, value] = values[0]!;
  const product = /\.default\(([\d_]+)\)/.exec(value!)?.[1] ?? value!;
  expect(product).toMatch(/^[\d_]+( \* [\d_]+)*$/);
  const number = product
    .split(' * ')
    .reduce((total, factor) => total * Number(factor.replaceAll('_', '')), 1);
  return name.endsWith('_MILLISECONDS') ? number / 1000 : number;
}
