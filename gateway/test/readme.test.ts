import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(resolve(root, file), 'utf8');
const readme = read('README.md');

it('names the two commands', () => {
  expect(readme).toMatch(/^npm ci && npm start /m);
  expect(readme).toMatch(/^npm ci && npm test /m);
});

it('every npm script it names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = [...readme.matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name!);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});

/** What stands in backticks, in the first cells of the tables below a heading. */
function named(heading: RegExp): string[] {
  const section = readme.split(/^(?=##)/m).find((part) => heading.test(part))!;
  const cells = section.split('\n').flatMap((line) => /^\| (.*?) \|/.exec(line)?.[1] ?? []);
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name!));
}

it('lists every variable of the environment, and no other', () => {
  const source = read('gateway/settings.ts');
  const schema = /const environment = z\.object\(\{\n(.*?)\n\}\);/s.exec(source)![1]!;
  const refused = /const LATER = \[(.*?)\]/.exec(source)![1]!;
  const known = [
    ...[...schema.matchAll(/^  ([A-Z_]+):/gm)].map(([, name]) => name!),
    ...[...refused.matchAll(/'([A-Z_]+)'/g)].map(([, name]) => name!),
  ];
  expect(known.length).toBeGreaterThan(12);
  const unused = [...readme.matchAll(/^\| `([A-Z_]+)` .* not used yet \|$/gm)].map(([, name]) => name!);
  expect(named(/^## Environment/).sort()).toEqual([...known, ...unused].sort());
  const code = readdirSync(resolve(root, 'gateway'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(resolve(root, 'gateway', file), 'utf8'));
  expect(unused.filter((name) => code.some((text) => text.includes(name)))).toEqual([]);
});

interface Schema {
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
  oneOf?: Schema[];
}
/** Keys of the objects that a schema allows, not of those within them. */
const keysOf = ({ properties = {}, anyOf = [], oneOf = [] }: Schema): string[] => [
  ...Object.keys(properties),
  ...[...anyOf, ...oneOf].flatMap(keysOf),
];
const tenant = JSON.parse(read('schema/tenant.schema.json')) as Schema;
const SECTIONS = ['authorization', 'clinical', 'images', 'graphql', 'audit'] as const;

it.each(SECTIONS)('lists every key of %s', (section) => {
  const keys = [...new Set(keysOf(tenant.properties![section]!))].filter((key) => !key.startsWith('$'));
  expect(keys.length).toBeGreaterThan(1);
  const listed = named(/^### Keys of a tenant/);
  expect(keys.filter((key) => !listed.includes(key))).toEqual([]);
});

it('lists no key of a tenant that there is not', () => {
  const all = JSON.stringify(tenant);
  const listed = named(/^### Keys of a tenant/);
  expect(listed.filter((key) => !all.includes(`"${key}":`))).toEqual([]);
});
