import { setTimeout as delay } from 'node:timers/promises';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Sources, TenantImages } from './open.ts';

/** Milliseconds after which a folder that can answer by the index of an earlier run is not waited for: a walk may take hours. */
const LONGEST = 60_000;

/** Returns the preparation of tenants, before their first request. */
export function preparation(sources: Sources, longest = LONGEST) {
  let indexing = 0;
  const read = async ({ open }: TenantImages): Promise<void> => {
    const { source } = await open();
    let isRead = false;
    const reading = source.indexed?.finally(() => (isRead = true));
    do {
      const ends = new AbortController();
      const late = delay(longest, undefined, { ref: false, signal: ends.signal }).catch(() => undefined);
      await Promise.race([reading, late]);
      ends.abort();
      // A folder that is away must not keep the others waiting.
    } while (!isRead && source.isFirstRead);
  };
  return {
    /** Reads the folders of a tenant, so that its first request is neither refused nor waits for that. */
    async prepare(tenant: Tenant): Promise<void> {
      const folders = sources.of(tenant).filter(({ config }) => config.type === 'folder');
      indexing += folders.length;
      await Promise.all(
        folders.map((images) =>
          read(images)
            .catch(() => undefined)
            .finally(() => indexing--),
        ),
      );
    },
    /** Returns how many folders are being read for the first time. */
    loading: () => (indexing > 0 ? [{ step: 'indexing', folders: indexing }] : []),
  };
}
