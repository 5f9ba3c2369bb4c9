import type { SharedCache } from '../../schema/outbound/shared-cache.ts';
import { sharedOneUse, type OneUse } from '../smart/capability/one-use.ts';
import { redisState } from '../smart/server/state/redis-state.ts';
import { sharedKeys, type ShareKeys } from '../smart/server/state/shared-keys.ts';
import type { State } from '../smart/server/state/state.ts';
import { redisCache } from './cache.ts';
import type { SharedRedis } from './redis.ts';
import { sealer } from './sealed.ts';

/** The state that the gateways of one installation share. Each part has the interface of the local one it replaces. */
export interface SharedState {
  /** Recent answers of introspection and image sources. */
  cache: SharedCache;
  /** Links that have not been used yet (IA-33). */
  links: OneUse;
  /** Codes, tokens, sessions, grants, registered clients and used assertions of our own authorization servers. */
  state: State;
  /** Keys of our own authorization servers. */
  shareKeys: ShareKeys;
}

/**
 * Creates the shared state in Redis.
 * @param secrets SEALING_KEY: the first key seals, all keys open
 * @param now milliseconds since the epoch
 */
export function sharedState(redis: SharedRedis, secrets: readonly string[], now: () => number): SharedState {
  const sealed = sealer(secrets);
  return {
    cache: redisCache(redis, sealed, now),
    links: sharedOneUse(redis),
    state: redisState(redis, sealed, now),
    shareKeys: sharedKeys(redis, sealed),
  };
}
