import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Sources } from './open.ts';
import { preparation } from './preparation.ts';

const INDEXING = [{ step: 'indexing', folders: 1 }];
/** Milliseconds for which a folder that can answer is waited for. */
const LONGEST = 50;

/** Prepares a tenant with a folder and a server. @param isFirstRead true for a folder that has no index at its start */
function prepared(isFirstRead = false) {
  let finish = (): void => undefined;
  const indexed = new Promise<void>((resolve) => (finish = resolve));
  const source = { indexed, isFirstRead };
  const sources = {
    of: () => [
      { config: { type: 'folder' }, open: async () => ({ source }) },
      { config: { type: 'dicom-web' }, open: () => Promise.reject(new Error('is not asked')) },
    ],
  };
  const { prepare, loading } = preparation(sources as unknown as Sources, LONGEST);
  return { done: prepare({} as Tenant), finish, loading, source };
}

test('a tenant is being prepared until its folders are read', async () => {
  const { done, finish, loading } = prepared();
  await new Promise(setImmediate);
  expect(loading()).toEqual(INDEXING);
  finish();
  await done;
  expect(loading()).toEqual([]);
});

test('a folder that answers by an index of an earlier run is not waited for longer than a limit', async () => {
  const { done, loading } = prepared();
  await done;
  expect(loading()).toEqual([]);
});

test('a folder refuses requests until it is indexed for the first time, and is waited for until then', async () => {
  const { done, finish, loading } = prepared(true);
  await sleep(3 * LONGEST);
  expect(loading()).toEqual(INDEXING);
  finish();
  await done;
  expect(loading()).toEqual([]);
});

test('a folder that goes away while it is indexed for the first time keeps nobody waiting', async () => {
  const { done, source, loading } = prepared(true);
  await sleep(2 * LONGEST);
  source.isFirstRead = false;
  await done;
  expect(loading()).toEqual([]);
});
