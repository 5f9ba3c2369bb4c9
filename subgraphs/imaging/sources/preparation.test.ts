import { expect, test } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Sources } from './open.ts';
import { preparation } from './preparation.ts';
import type { ImagingSource } from './source.ts';
import { transcoding } from './transcoding.ts';

test('a tenant is being prepared until its folders are read', async () => {
  let finish = (): void => undefined;
  const indexed = new Promise<void>((resolve) => (finish = resolve));
  // As `Sources` opens it.
  const folder = transcoding({ indexed } as ImagingSource, {} as never);
  const sources = {
    of: () => [
      { config: { type: 'folder' }, open: async () => ({ source: folder }) },
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
