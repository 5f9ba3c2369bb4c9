import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { populationPaths } from './build.ts';
import { PopulationOnDemand } from './on-demand.ts';

const root = mkdtempSync(join(tmpdir(), 'population-'));
afterAll(() => rmSync(root, { recursive: true }));

test('a population that cannot be made is said, and is tried again a minute later', async () => {
  // A file where the folder should be.
  writeFileSync(join(root, 'taken'), '');
  const folder = join(root, 'taken', 'population');
  const clinical = { type: 'store', path: populationPaths(folder).records };
  const tenant = { key: 'population', clinical } as Tenant;
  const errors: unknown[] = [];
  let now = 0;
  const population = new PopulationOnDemand({
    folder,
    prepare: async () => undefined,
    log: { error: (details: unknown) => void errors.push(details) } as never,
    isReady: false,
    now: () => now,
  });
  expect(population.visited(tenant)!.message).toMatch(/being made/);
  await vi.waitFor(() => expect(population.visited(tenant)!.message).toMatch(/could not be made.* log/));
  now = 59_000;
  expect(population.visited(tenant)).toMatchObject({ code: 'unavailable', details: { retryAfter: 1 } });
  expect(errors).toHaveLength(1);
  now = 60_000;
  expect(population.visited(tenant)!.message).toMatch(/being made/);
  await vi.waitFor(() => expect(errors).toHaveLength(2));
});
