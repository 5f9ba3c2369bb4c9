import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseOptions, UsageError } from '../options.ts';
import { selectChecks } from '../run.ts';

const BASE = ['--base', 'https://a.example/fhir/'];
const folder = mkdtempSync(join(tmpdir(), 'conformance-options-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return ['--token-file', join(folder, name)];
};

describe('options', () => {
  test.each<[string, string[], object]>([
    ['a slash at the end', BASE, { base: 'https://a.example/fhir', timeout: 60_000, grant: 'patient' }],
    ['a reference to the patient', [...BASE, '--patient', 'Patient/1'], { patient: '1' }],
    ['DICOMweb alone', ['--dicomweb', 'http://a/d'], { base: undefined, dicomweb: 'http://a/d' }],
    ['a list of checks', [...BASE, '--only', 'IA,DW-5'], { only: ['IA', 'DW-5'] }],
    ['headers', [...BASE, '--header', 'X-A: b: c'], { headers: { 'x-a': 'b: c' } }],
    ['the token of the environment', BASE, { token: 'of-environment', narrowToken: undefined }],
    ['a token before the environment', [...BASE, '--token', 't'], { token: 't' }],
    [
      'a file with a token',
      [...BASE, ...file('plain', 'of-file\n')],
      { token: 'of-file', patient: undefined },
    ],
    [
      'a file with the answer of the token endpoint',
      [...BASE, ...file('json', '{"access_token":"of-answer","patient":"p"}')],
      { token: 'of-answer', patient: 'p' },
    ],
    ['help', ['--help'], ['help']],
  ])('%s', (_, args, expected) => {
    const options = parseOptions(args, { CONFORMANCE_TOKEN: 'of-environment', CONFORMANCE_NARROW_TOKEN: '' });
    expect(typeof options === 'string' ? [options] : options).toMatchObject(expected);
  });

  test.each<[string, string[], string]>([
    ['no server', [], 'Give --base URL'],
    ['a relative base', ['--base', '/fhir'], '--base is an absolute'],
    ['a password in the base', ['--base', 'https://u:secret@a.example'], '--base has no password'],
    ['a base with a query', ['--base', 'https://a.example?x'], '--base is an absolute'],
    ['an unknown option', [...BASE, '--tokn=secret'], '--tokn is unknown'],
    ['a value without an option', [...BASE, 'secret'], 'There is a value without an option.'],
    ['no study UID', [...BASE, '--study', 'secret'], '--study is a UID'],
    ['another grant', [...BASE, '--grant', 'user'], '--grant is'],
    ['no number', [...BASE, '--timeout', 'soon'], '--timeout is a number'],
    ['a header without a colon', [...BASE, '--header', 'secret'], '--header has the form'],
    ['a header with a line end', [...BASE, '--header', 'A: b\r\nC: secret'], '--header has the form'],
    ['a token with a line end', [...BASE, '--token', 'a\nsecret'], 'The token has'],
    ['a file that is missing', [...BASE, '--token-file', '/none'], 'cannot be read'],
    ['an answer without token', [...BASE, ...file('none', '{"error":"secret"}')], 'has no access_token'],
    ['an answer that is no JSON', [...BASE, ...file('broken', '{secret')], 'has no access_token'],
  ])('%s is wrong use, and no secret is repeated', (_, args, message) => {
    const parse = () => parseOptions(args);
    expect(parse).toThrow(UsageError);
    expect(parse).toThrow(message);
    expect(parse).not.toThrow('secret');
  });
});

test.each([
  ['IA-1', ['IA-1']],
  ['IA-5/search-without-token', ['IA-5']],
  ['SM', ['SM-1', 'SM-2', 'SM-3', 'SM-4', 'SM-12', 'SM-13']],
])('--only %s selects the checks of %j', (only, ids) => {
  expect(new Set(selectChecks([only]).map(({ id }) => id))).toEqual(new Set(ids));
});

test.each(['IA-', 'I', 'XX-1', 'IA-5/none'])('--only %s is wrong use', (only) => {
  expect(() => selectChecks([only])).toThrow(UsageError);
});
