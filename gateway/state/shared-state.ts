import type { SharedCache } from '../../schema/outbound/shared-cache.ts';
import { sharedOneUse, type OneUse } from '../smart/capability/one-use.ts';
import { redisState } from '../smart/server/state/redis-state.ts';
import { sharedKeys, type ShareKeys } from '../smart/server/state/shared-keys.ts';
import type { State } from '../smart/server/state/state.ts';
import { redisCache } from './cache.ts';
import type { SharedRedis } from './redis.ts';
import { sealer } from './sealed.ts';

/** All that the gateways of one installation share, each part behind the interface of what it stands in for. */
export interface SharedState {
  /** What introspection and image sources said lately. */
  cache: SharedCache;
  /** Links that are still to be used (IA-33). */
  links: OneUse;
  /** Of our own authorization servers: codes, tokens, sessions, grants, registered clients, used assertions. */
  state: State;
  /** Their keys. */
  shareKeys: ShareKeys;
}

/**
 * @param secrets SEALING_KEY: the first seals, all open
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
