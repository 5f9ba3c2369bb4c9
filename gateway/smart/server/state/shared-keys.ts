import { boundedCache } from '../../../../schema/cache/bounded-cache.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { entryName, readEntry, required, type SharedRedis } from '../../../state/redis.ts';
import type { Sealer } from '../../../state/sealed.ts';
import type { Keys } from './keys.ts';

/** Returns a tenant's keys. @param own creates keys to store when there are none */
export type ShareKeys = (tenant: string, own: () => Promise<Keys>) => Promise<Keys>;

/**
 * Shares one set of keys among all gateways, in Redis. The keys of the first gateway win (SET NX), and all publish the same
 * key set. If Redis has lost its contents, the last used keys are stored again.
 * @returns it throws Fault `unavailable` while Redis does not answer, or when our SEALING_KEY does not open the keys
 */
export function sharedKeys({ client }: SharedRedis, { seal, open, isCurrent }: Sealer): ShareKeys {
  const last = boundedCache<Keys>({ entries: 1000 });
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
    // Seal again with the current secret: an older one in SEALING_KEY will be removed.
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
