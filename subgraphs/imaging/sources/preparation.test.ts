import { expect, test } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Sources } from './open.ts';
import { preparation } from './preparation.ts';

test('a tenant is being prepared until its folders are read', async () => {
  let finish = (): void => undefined;
  const indexed = new Promise<void>((resolve) => (finish = resolve));
  const sources = {
    of: () => [
      { config: { type: 'folder' }, open: async () => ({ source: { indexed } }) },
      { config: { type: 'dicom-web' }, open: () => Promise.reject(new Error('is not asked')) },
    ],
  };
  const { prepare, loading } = preparation(sources as unknown as Sources);
  const prepared = prepare({} as Tenant);
  await new Promise(setImmediate);
  expect(loading()).toEqual([{ step: 'indexing', folders: 1 }]);
  finish();
  await prepared;
  expect(loading()).toEqual([]);
});
