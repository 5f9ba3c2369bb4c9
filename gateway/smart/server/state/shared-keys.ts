import { LRUCache } from 'lru-cache';
import { Fault } from '../../../../schema/fault/fault.ts';
import { entryName, readEntry, required, type SharedRedis } from '../../../state/redis.ts';
import type { Sealer } from '../../../state/sealed.ts';
import type { Keys } from './keys.ts';

/** Gives a tenant's keys. @param own makes those that are offered where the store has none */
export type ShareKeys = (tenant: string, own: () => Promise<Keys>) => Promise<Keys>;

/**
 * One set of keys for all gateways, in Redis: the first that offers some wins (SET NX), and all present the same key
 * set. A store that has lost its contents is offered what was last in use.
 * @returns what throws Fault `unavailable` while Redis does not answer, or holds keys that our SEALING_KEY does not open
 */
export function sharedKeys({ client }: SharedRedis, { seal, open, isCurrent }: Sealer): ShareKeys {
  const last = new LRUCache<string, Keys>({ max: 1000 });
  return async (tenant, own) => {
    const name = entryName('oauth-keys', tenant);
    let sealed = await required(readEntry(client, name));
    if (sealed === null) {
      const offered = seal(JSON.stringify(last.get(tenant) ?? (await own())), name);
      const isFirst = (await required(client.set(name, offered, 'NX'))) === 'OK';
      sealed = isFirst ? offered : await required(readEntry(client, name));
    }
    const text = sealed === null ? undefined : open(sealed, name);
    if (sealed === null || text === undefined) throw sealedByAnother(tenant);
    // A secret that is on its way out of SEALING_KEY seals nothing that stays.
    if (!isCurrent(sealed, name)) await required(client.set(name, seal(text, name)));
    const keys = JSON.parse(text) as Keys;
    last.set(tenant, keys);
    return keys;
  };
}

function sealedByAnother(tenant: string): Fault {
  return new Fault('unavailable', 'This authorization server cannot use its signing keys at the moment.', {
    service: 'authorization',
    retryAfter: 30,
    cause: new Error(
      `the signing keys of tenant ${tenant} in REDIS_URL were sealed with a SEALING_KEY that is not given here: give all gateways the same list`,
    ),
  });
}
