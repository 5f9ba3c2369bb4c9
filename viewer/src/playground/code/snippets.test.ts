/** Texts as literals, and operations. gateway/test/clients/playground-code.whole.test.ts runs the programs. */
import { expect, test } from 'vitest';
import { jsTemplate, pythonText, pythonValue, rText, shellWord } from './literals.ts';
import { LANGUAGES, singleOperation, TOKEN } from './snippets.ts';

test.each([
  [shellWord, `it's $HOME \`x\` "y" \\`, `'it'\\''s $HOME \`x\` "y" \\'`],
  [jsTemplate, 'a `b` \\n ${c} $d\r\n', '`a \\`b\\` \\\\n \\${c} $d\\r\n`'],
  [pythonText, 'a """b""" \\ \r\n%s {x}', '"""a \\"\\"\\"b\\"\\"\\" \\\\ \\x0d\n%s {x}"""'],
  [rText, 'a "b" \\ \r\n%s ü😀', '"a \\"b\\" \\\\ \\U{000d}\n%s \\U{00fc}\\U{1f600}"'],
])('%o quotes %j', (quote, text, quoted) => expect(quote(text)).toBe(quoted));

test('jsTemplate is read by JavaScript as the same text', () => {
  const text = 'a `b` \\n ${c} $d \\u0041 \r\n \u2028 😀 \\` \\${';
  expect(new Function(`return ${jsTemplate(text)}`)()).toBe(text);
});

test.each([
  [null, 'None'],
  [true, 'True'],
  [1.5, '1.5'],
  ['a "b"\n', '"a \\"b\\"\\n"'],
  [{ a: [null, false, {}] }, '{"a": [None, False, {}]}'],
])('%j in Python is %s', (value, written) => expect(pythonValue(value)).toBe(written));

const TWO = 'query A { a { ...F } } query B { b } fragment F on X { id }';
test.each([
  ['one', '{ a }  # note', undefined, '{ a }  # note'],
  ['the named one of two', TWO, 'B', '{\n  b\n}'.replace('{', 'query B {')],
  [
    'the first of two, with its fragment',
    TWO,
    undefined,
    'query A {\n  a {\n    ...F\n  }\n}\n\nfragment F on X {\n  id\n}',
  ],
  ['no GraphQL', '{ a', undefined, '{ a'],
])('sends %s', (_what, query, name, sent) => expect(singleOperation(query, name)).toBe(sent));

test.each(LANGUAGES)('$name takes the token from the environment, where one is needed', ({ write }) => {
  const request = {
    url: 'http://x/demo/graphql',
    query: '{ a }',
    variables: {},
    steps: [],
    isStreamed: false,
  };
  expect(write({ ...request, needsToken: true })).toContain(TOKEN);
  expect(write({ ...request, needsToken: false })).not.toContain(TOKEN);
});

test('Python reads all rows of a connection as a stream, with the token where one is needed', () => {
  const { write } = LANGUAGES.find(({ name }) => name === 'Python')!;
  const request = {
    url: 'http://x/demo/graphql',
    query: '{ a }',
    variables: {},
    steps: [],
    isStreamed: true,
  };
  const code = write({ ...request, needsToken: true });
  expect(code).toContain('"Accept": "application/x-ndjson"');
  expect(code).toContain(TOKEN);
  expect(write({ ...request, needsToken: false })).not.toContain(TOKEN);
});
