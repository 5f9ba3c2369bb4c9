import { readFileSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { FIRST_REQUEST, firstRequestCommands } from './first-request.ts';

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

test('the README shows the two lines that the start prints, with the file of the secret and not the secret', () => {
  expect(read('README.md')).toContain(firstRequestCommands('http://localhost:4000', '.data/demo/secret'));
});

test('the request is valid for the API schema', () => {
  expect(validate(buildSchema(read('schema/api.graphql')), parse(FIRST_REQUEST.query))).toEqual([]);
});

test('a path with an apostrophe stays one word of the shell', () => {
  expect(firstRequestCommands('http://localhost', "/it's/secret")).toContain(`$(cat '/it'\\''s/secret')`);
});
