/** Every block of every page is run, here or in commands.whole.test.ts, or says in docs/test/not-run.ts why not. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseTenant } from '../schema/tenant/tenant.ts';
import { isNamed, NOT_RUN, runBlocks } from './test/not-run.ts';
import { blocks, readPage, root } from './test/pages.ts';

test('every block is of a language that is run, or is named with a test or a reason', () => {
  expect(blocks.length).toBeGreaterThan(50);
  const unknown = blocks.filter(
    (block) =>
      !runBlocks('sh', 'csv', 'graphql', 'json', 'jsonc').includes(block) &&
      !NOT_RUN.some((named) => isNamed(block, named)),
  );
  expect(unknown).toEqual([]);
});

test('every named block is there, and so is the test that is named with it', () => {
  expect(NOT_RUN.filter((named) => !blocks.some((block) => isNamed(block, named)))).toEqual([]);
  const tests = NOT_RUN.flatMap(([, , instead]) => /\S+\.test\.ts/.exec(instead) ?? []);
  expect(tests.length).toBeGreaterThan(10);
  expect(tests.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test('every command has the syntax of sh, also where it is not run', () => {
  for (const { language, text } of blocks)
    if (language === 'sh') execFileSync('sh', ['-n'], { input: text, stdio: 'pipe' });
});

test('a page whose commands or queries need a token says where it is from', () => {
  const needing = [...runBlocks('graphql'), ...runBlocks('sh').filter(({ text }) => text.includes('$TOKEN'))];
  const silent = needing.filter(
    ({ page }) => page !== 'README.md' && !readPage(page).includes('README.md#the-first-request)'),
  );
  expect(silent.map(({ page }) => page)).toEqual([]);
});

/** Reads a part of a tenant file. `…` stands for the keys of the example in configuration.md. */
function partOf(text: string): Record<string, object | string> {
  const plain = text.replaceAll(/ \/\/ .*$/gm, '').replaceAll('…, ', '');
  return JSON.parse(plain.startsWith('{') ? plain : `{${plain}}`) as Record<string, object | string>;
}

const jwk = { kty: 'EC', crv: 'P-384', x: 'x', y: 'y', d: 'd', kid: 'k', alg: 'ES384' };
const environment = {
  ORTHANC_PASSWORD: 'secret',
  ANALYST_SECRET: 'a-secret-that-is-long-enough-for-a-client',
  CLIENT_JWK_PRIVATE: JSON.stringify(jwk),
};

test.each(runBlocks('json', 'jsonc'))('$page: a tenant file may have $text', ({ text }) => {
  const file = partOf(blocks.find(({ page }) => page === 'docs/configuration.md')!.text);
  // A part with a type is whole; others are keys of the example's part.
  for (const [key, value] of Object.entries(partOf(text)))
    file[key] = typeof value === 'string' || 'type' in value ? value : { ...(file[key] as object), ...value };
  const origin = { key: 't', path: 't', dynamic: false, directory: '/etc/tenants', environment };
  expect(() => parseTenant(file, origin)).not.toThrow();
});
