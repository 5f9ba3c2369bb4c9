import { sharedOneUse } from '../smart/capability/one-use.ts';
import { redisShareState } from '../share/state/redis-share-state.ts';
import { redisState } from '../smart/server/state/redis-state.ts';
import { sharedKeys } from '../smart/server/state/shared-keys.ts';
import { redisCache } from './cache.ts';
import type { SharedRedis } from './redis.ts';
import { sealer } from './sealed.ts';

/** The state that the gateways of one installation share. Each part has the interface of the local one it replaces. */
export type SharedState = ReturnType<typeof sharedState>;

/**
 * Creates the shared state in Redis.
 * @param secrets SEALING_KEY: the first key seals, all keys open
 * @param now milliseconds since the epoch
 */
export function sharedState(redis: SharedRedis, secrets: readonly string[], now: () => number) {
  const sealed = sealer(secrets);
  return {
    /** Recent answers of introspection and image sources. */
    cache: redisCache(redis, sealed, now),
    /** Links that have not been used yet (IA-33). */
    links: sharedOneUse(redis),
    /** Codes, tokens, sessions, grants, registered clients and used assertions of our own authorization servers. */
    state: redisState(redis, sealed, now),
    /** Links by which people share (IA-36). */
    shares: redisShareState(redis, now),
    /** Keys of our own authorization servers. */
    shareKeys: sharedKeys(redis, sealed),
  };
}
