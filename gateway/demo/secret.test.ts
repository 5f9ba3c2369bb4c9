import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { demoSecret } from './secret.ts';

const directory = mkdtempSync(join(tmpdir(), 'secret-'));
afterAll(() => rmSync(directory, { recursive: true }));

test('creates a secret once for each installation, readable only by its owner', () => {
  const file = join(directory, 'one', 'demo', 'secret');
  const secret = demoSecret(file);
  expect(secret).toMatch(/^[\w-]{32}$/);
  expect(demoSecret(file)).toBe(secret);
  expect(demoSecret(join(directory, 'two', 'secret'))).not.toBe(secret);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(directory, 'one', 'demo'))).toEqual(['secret']);
});

test('throws when the folder cannot be written to', () => {
  writeFileSync(join(directory, 'a-file'), '');
  expect(() => demoSecret(join(directory, 'a-file', 'secret'))).toThrow(/ENOTDIR|EEXIST/);
});
