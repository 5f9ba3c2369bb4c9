import type { Redis } from 'ioredis';
import { createHash } from 'node:crypto';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import type { FirstSeenEntry, FirstSeen } from './first-seen.ts';

/** Time without a request after which a study is forgotten, and counts as unknown. */
const FORGOTTEN_SECONDS = 400 * 86_400;

/** Number of studies that are kept in the process. */
const MAX_AT_HAND = 100_000;

/**
 * Takes an instance count (-1: not given) for each key. Returns for each whether it was unknown, and the time of its
 * last change. The rules are those of `first-seen.ts`, applied atomically for all gateways. A value that is longer than
 * two numbers, or not a number, was not written here and counts as unknown.
 */
const OBSERVE = `
  local now, ttl, answers = ARGV[1], ARGV[2], {}
  for i, key in ipairs(KEYS) do
    local count = ARGV[i + 2]
    local isOurs = redis.call('HSTRLEN', key, 'instances') + redis.call('HSTRLEN', key, 'since') <= 30
    local known = isOurs and redis.call('HMGET', key, 'instances', 'since') or {}
    local fresh = not known[1] or not string.match(known[2] or '', '^%d+$')
    if fresh or (count ~= '-1' and known[1] ~= count) then
      redis.call('HSET', key, 'instances', count, 'since', now)
      known[2] = now
    end
    redis.call('EXPIRE', key, ttl)
    answers[i] = { fresh and 1 or 0, known[2] }
  end
  return answers`;

/**
 * Returns the memory of IA-13 in Redis, for gateways that share no `DATA_DIR`. Keys are digests of tenant and study.
 * @param now seconds since the epoch
 */
export function sharedFirstSeen(redis: Redis, now: () => number): FirstSeen {
  /** The last answers of Redis by its keys: while it is away, what has not changed keeps its time. */
  const atHand = boundedCache<{ count: number; since: string }>({ entries: MAX_AT_HAND });
  const recall = (key: string, count: number): string | undefined => {
    const known = atHand.get(key);
    return count === -1 || known?.count === count ? known?.since : undefined;
  };
  return {
    async observe(tenant, sightings) {
      if (sightings.length === 0) return new Map<string, FirstSeenEntry>();
      const keys = sightings.map(({ studyUid }) => nameOf(tenant, studyUid));
      const counts = sightings.map(({ instances = -1 }) => instances);
      const milliseconds = Math.floor(now() * 1000);
      const answers = (await redis
        .eval(OBSERVE, keys.length, ...keys, milliseconds, FORGOTTEN_SECONDS, ...counts)
        .catch(() => undefined)) as [fresh: number, since: string][] | undefined;
      return new Map(
        sightings.map(({ studyUid }, index): [string, FirstSeenEntry] => {
          const [key, count] = [keys[index]!, counts[index]!];
          const answer = answers?.[index];
          if (answer && count !== -1) atHand.set(key, { count, since: answer[1] });
          const recalled = answer ? undefined : recall(key, count);
          // When Redis cannot be reached, the request is still answered and an unknown study counts as new (IA-13).
          const [fresh, since] = answer ?? (recalled ? [0, recalled] : [1, milliseconds]);
          return [studyUid, { lastUpdated: new Date(Number(since)).toISOString(), fresh: fresh === 1 }];
        }),
      );
    },
    close: () => undefined, // the caller closes the connection
  };
}

function nameOf(tenant: string, studyUid: string): string {
  return `seen:${createHash('sha256').update(`${tenant}\0${studyUid}`).digest('base64url')}`;
}
