import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { curlOf, pathOf, playgroundOf } from './curl.ts';

const GRAPH = 'https://g.example/demo/graphql';
const graphql = { query: 'query R($id: ID!) { a(b: "it\'s $HOME `x` \\\\ !") }', variables: '{"id":"…"}' };
const call = {
  method: 'GET',
  address: 'https://g.example/demo/fhir/Patient/…',
  headers: {},
  hasToken: false,
};

/** Returns the words that a shell reads in a command. @param token value of the variable TOKEN */
const wordsOf = (command: string, token = 't') =>
  execFileSync('/bin/sh', ['-c', `set -f; printf '%s\\n\\0' ${command.replace(/^curl/, '')}`], {
    env: { TOKEN: token },
    encoding: 'utf8',
  })
    .split('\n\0')
    .slice(0, -1);

test.each([
  ['a read', call, [call.address]],
  [
    'one with a token, which is put in by the shell alone',
    { ...call, hasToken: true, headers: { accept: 'application/fhir+json' } },
    [call.address, '--header', 'Authorization: Bearer t', '--header', 'accept: application/fhir+json'],
  ],
  [
    'an address with a quote',
    { ...call, address: "https://g.example/o'neil;$(reboot)" },
    ["https://g.example/o'neil;$(reboot)"],
  ],
  [
    'a query',
    { ...call, method: 'POST', address: GRAPH, headers: { 'content-type': 'application/json' }, graphql },
    [
      '--request',
      'POST',
      GRAPH,
      '--header',
      'content-type: application/json',
      '--data-raw',
      JSON.stringify({ query: graphql.query, variables: { id: '…' } }),
    ],
  ],
])('%s is a command that a shell reads so', (_what, of, expected) => {
  expect(curlOf(of)).not.toContain('Bearer t');
  expect(wordsOf(curlOf(of))).toEqual(expected);
});

test('a query opens in the playground of its tenant; what is none, or has no tenant, does not', () => {
  const link = new URL(playgroundOf({ address: GRAPH, graphql })!);
  expect(`${link.origin}${link.pathname}`).toBe('https://g.example/demo/playground');
  expect(Object.fromEntries(new URLSearchParams(link.hash.slice(1)))).toEqual(graphql);
  expect(playgroundOf({ address: GRAPH })).toBeUndefined();
  expect(playgroundOf({ address: 'https://g.example/dyn/…/graphql', graphql })).toBeUndefined();
  expect(playgroundOf({ address: 'https://other.example/query', graphql })).toBeUndefined();
  expect(
    playgroundOf({ address: GRAPH, graphql: { query: 'a'.repeat(40_000), variables: '{}' } }),
  ).toBeUndefined();
});

test.each([
  [{ address: GRAPH, graphql }, '/demo/graphql · R'],
  [{ address: GRAPH, graphql: { query: '{ a }', variables: '{}' } }, '/demo/graphql'],
  [{ address: 'https://g.example.org/x' }, 'g.example.org/x'],
])('%j is shown as %s', (of, shown) => expect(pathOf(of, 'https://g.example')).toBe(shown));
