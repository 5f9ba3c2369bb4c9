import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { buildSchema, parse, validate } from 'graphql';
import { expect, it } from 'vitest';
import { READY_MADE } from '../ready-made.ts';

const read = (file: string) => readFileSync(resolve(import.meta.dirname, '../..', file), 'utf8');
const readme = read('README.md');

it('names the two commands', () => {
  expect(readme).toMatch(/^npm ci && npm start /m);
  expect(readme).toMatch(/^npm ci && npm test /m);
});

it('its ready-made request is the one that the start prints, and fits the schema that clients see', () => {
  const [, body] = /<<'JSON'\n(.+)\nJSON/.exec(readme) ?? [];
  expect(JSON.parse(body!)).toEqual(READY_MADE);
  expect(validate(buildSchema(read('schema/api.graphql')), parse(READY_MADE.query))).toEqual([]);
});

it('every npm script it names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = [...readme.matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name!);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
