import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Datasets } from './datasets.ts';

test('a folder that cannot be read is tried again', async () => {
  const root = mkdtempSync(join(tmpdir(), 'datasets-'));
  writeFileSync(join(root, 'file'), '');
  const datasets = new Datasets(join(root, 'file', 'datasets'));
  for (let time = 0; time < 2; time++)
    await expect(datasets.use()).rejects.toMatchObject({ code: 'unavailable', details: { retryAfter: 5 } });
  rmSync(join(root, 'file'));
  expect(await datasets.use()).toBeUndefined();
  rmSync(root, { recursive: true });
});
