import type { Redis } from 'ioredis';
import { createHash } from 'node:crypto';
import type { Memory, Seen } from './first-seen.ts';

/** A study that nobody has asked for in so long counts as not known when it comes back. */
const FORGOTTEN_SECONDS = 400 * 86_400;

/**
 * For each key an instance count (-1: not said), and since when: what was remembered before, and since when it is as it
 * is now. The rules are those of `seen.ts`, at one moment for all gateways. What is longer than two numbers, or is none,
 * is none of ours and counts as not known.
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
 * The memory of IA-13 in Redis, for gateways that share no `DATA_DIR`. Tenant and study stand there as one hash.
 * @param now seconds since the epoch
 */
export function sharedFirstSeen(redis: Redis, now: () => number): Seen {
  return {
    async observe(tenant, sightings) {
      if (sightings.length === 0) return new Map<string, Memory>();
      const keys = sightings.map(({ studyUid }) => nameOf(tenant, studyUid));
      const counts = sightings.map(({ instances = -1 }) => instances);
      const milliseconds = Math.floor(now() * 1000);
      const answers = (await redis
        .eval(OBSERVE, keys.length, ...keys, milliseconds, FORGOTTEN_SECONDS, ...counts)
        .catch(() => undefined)) as [fresh: number, since: string][] | undefined;
      return new Map(
        sightings.map(({ studyUid }, index): [string, Memory] => {
          // A memory that cannot be reached costs no answer: the study counts as not known (IA-13).
          const [fresh, since] = answers?.[index] ?? [1, milliseconds];
          return [studyUid, { lastUpdated: new Date(Number(since)).toISOString(), fresh: fresh === 1 }];
        }),
      );
    },
    close: () => undefined, // the connection is its opener's
  };
}

function nameOf(tenant: string, studyUid: string): string {
  return `seen:${createHash('sha256').update(`${tenant}\0${studyUid}`).digest('base64url')}`;
}
