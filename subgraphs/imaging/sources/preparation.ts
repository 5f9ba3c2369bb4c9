import { setTimeout as delay } from 'node:timers/promises';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Sources } from './open.ts';

/** Milliseconds after which a process counts as prepared although a folder is not read: a large one takes hours. */
const LONGEST = 60_000;

/** Returns the preparation of tenants, before their first request. */
export function preparation(sources: Sources) {
  let indexing = 0;
  return {
    /** Reads the folders of a tenant, so that its first request does not wait for that. */
    async prepare(tenant: Tenant): Promise<void> {
      const folders = sources.of(tenant).filter(({ config }) => config.type === 'folder');
      const read = Promise.allSettled(folders.map(async (images) => (await images.open()).source.indexed));
      indexing += folders.length;
      await Promise.race([read, delay(LONGEST, undefined, { ref: false })]);
      indexing -= folders.length;
    },
    /** Returns how many folders are being read for the first time. */
    loading: () => (indexing > 0 ? [{ step: 'indexing', folders: indexing }] : []),
  };
}
