import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { buildIn } from './build-id.ts';

test('gives the hash of the build as id, or without a build a random id', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'build-'));
  const folder = pathToFileURL(`${directory}/`);
  expect(buildIn(folder)).not.toBe(buildIn(folder));
  await writeFile(join(directory, '.build-hash'), 'abc');
  expect([buildIn(folder), buildIn(folder)]).toEqual(['abc', 'abc']);
  await rm(directory, { recursive: true });
});
