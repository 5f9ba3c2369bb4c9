import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../federation/document/limits.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(resolve(root, file), 'utf8');
const readme = read('README.md');

it('names the two commands', () => {
  expect(readme).toMatch(/^npm ci && npm start /m);
  expect(readme).toMatch(/^npm ci && npm test /m);
  expect(readme).toMatch(/^docker compose up /m);
});

it('is short, and states the intended use', () => {
  expect(readme.split(/\s+/).length).toBeLessThan(1200);
  expect(readme).toMatch(/^\*\*Intended use: .* not for primary diagnosis\.\*\*$/m);
});

it.each([
  'README.md',
  ...readdirSync(resolve(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
])('every npm script that %s names exists', (page) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = [...read(page).matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name!);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

/** Returns the section of a page with this heading. */
const section = (page: string, heading: string) =>
  read(`docs/${page}`)
    .split(/^(?=## )/m)
    .find((part) => part.startsWith(`## ${heading}\n`))!;

it('FG-12 limits.md lists every limit of a GraphQL request with its default', () => {
  const listed = [...section('limits.md', 'Limits').matchAll(/^\| (`.*?) \| ([\d, ]+) \|/gm)].flatMap(
    ([, names, numbers]) => {
      const defaults = numbers!.split(', ').map(Number);
      return [...names!.matchAll(/`(\w+)`/g)].map(([, name], index) => [name, defaults[index]] as const);
    },
  );
  expect(Object.fromEntries(listed)).toEqual(DEFAULT_LIMITS);
});

it('monitoring.md lists every metric of the gateway with its labels', () => {
  const metrics = readdirSync(resolve(root, 'gateway'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(resolve(root, 'gateway', file), 'utf8'))
    .flatMap((text) => [
      ...text.matchAll(
        /(?:new (?:Counter|Gauge|Histogram)|plainCounter)\(\{\s+name: '(\w+)',\s+help: .*?,\n(?:\s+labelNames: \[(.*?)\])?/g,
      ),
    ])
    .map(([, name, labels = '']) => `${name} ${[...labels.matchAll(/\w+/g)].join(' ')}`.trim());
  const listed = [...section('monitoring.md', 'Metrics').matchAll(/^\| `(\w+)` \| (.*?) \|/gm)].map(
    ([, name, labels]) => `${name} ${[...labels!.matchAll(/(?<=`)\w+/g)].join(' ')}`.trim(),
  );
  expect(metrics.length).toBeGreaterThan(3);
  expect(listed.sort()).toEqual(metrics.sort());
});
