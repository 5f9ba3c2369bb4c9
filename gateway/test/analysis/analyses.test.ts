/** The tables of all tenants. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { Analyses, type AnalysesOptions } from '../../analysis/analyses.ts';

test('others’ folders go at the start, and a replaced tenant’s', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'analyses-'));
  for (const path of ['tenants/gone@1/datasets', 'queries/query-7'])
    mkdirSync(join(folder, path), { recursive: true });
  const tenant = { key: 'one', cacheKey: 'one@1' } as Tenant;
  const options = {
    folder,
    log: { info: () => undefined, warn: () => undefined },
    settingsOf: ({ key }: Tenant) =>
      key === 'one' ? { views: [], refreshMinutes: 15, instances: false } : undefined,
    clinical: {
      tables: { record: async () => undefined, recordVersion: async () => '', reachOf: async () => ({}) },
    },
    imaging: {
      tables: {
        imagesVersion: async () => 'one',
        indexFiles: async () => [],
        async *allStudies() {},
        async *allInstances() {},
        studyIds: async () => ['1.2'],
      },
    },
  } satisfies AnalysesOptions;
  const analyses = new Analyses(options);
  analyses.begin([tenant]);
  expect(readdirSync(analyses.queries)).toEqual([]);
  expect(readdirSync(join(folder, 'tenants'))).not.toContain('gone@1');
  expect(analyses.of({ ...tenant, key: 'other', cacheKey: 'other@1' })).toBeUndefined();
  await analyses.of(tenant)!.refresh();
  await analyses.release(tenant, [tenant]);
  expect(readdirSync(join(folder, 'tenants'))).toEqual(['one@1']);
  await analyses.release(tenant, []);
  expect(readdirSync(join(folder, 'tenants'))).toEqual([]);
  await analyses.close();
  rmSync(folder, { recursive: true });
});
