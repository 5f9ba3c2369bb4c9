import { buildSchema, parse } from 'graphql';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseScopes } from '../../schema/access/scopes.ts';
import { FieldScopes } from '../federation/scopes/field-scopes.ts';
import { EXAMPLES } from '../../viewer/src/playground/examples/examples.ts';

const read = (name: string) => readFileSync(new URL(`../../schema/${name}`, import.meta.url), 'utf8');
const fieldScopes = new FieldScopes(read('supergraph.graphql'));
const schema = buildSchema(read('api.graphql'), { assumeValid: true, noLocation: true });

test.each(EXAMPLES)('FG-31 the example $id names the scopes that it needs, and no others', (example) => {
  const needs = fieldScopes.needs({ document: parse(example.query), schema });
  const isRefused = (scopes: readonly string[]) => {
    const permissions = parseScopes(scopes.map((scope) => `patient/${scope}`).join(' '));
    return (
      fieldScopes.refusals(needs, { tenant: 't', patients: 'all', permissions, expires: 0 }) !== undefined
    );
  };
  expect(isRefused(example.scopes)).toBe(false);
  for (const scope of example.scopes)
    expect([scope, isRefused(example.scopes.filter((other) => other !== scope))]).toEqual([scope, true]);
});
