import type { Redis } from 'ioredis';
import { entryName, LARGEST_BYTES, required } from '../../../state/redis.ts';
import type { Deadlines } from './deadlines.ts';
import { UNTAKEN_SECONDS } from './deadlines.ts';

/** KEYS: the tenant's list, the entry. ARGV: id, text, due, seconds until it is deleted. */
const SET = `
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'id', ARGV[1], 'text', ARGV[2])
  redis.call('EXPIRE', KEYS[2], ARGV[4])
  redis.call('ZADD', KEYS[1], ARGV[3], KEYS[2])`;
/** The same arguments; an empty text or due changes nothing. */
const CHANGE = `
  if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
  if ARGV[2] ~= '' then redis.call('HSET', KEYS[2], 'text', ARGV[2]) end
  if ARGV[3] ~= '' then
    redis.call('HDEL', KEYS[2], 'tries')
    redis.call('EXPIRE', KEYS[2], ARGV[4])
    redis.call('ZADD', KEYS[1], ARGV[3], KEYS[2])
  end
  return 1`;
/** KEYS: the tenant's list. ARGV: now, number, pause, and the longest text in bytes: a longer one was not written by us. */
const TAKE = `
  local taken = {}
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
    local isOurs = redis.call('HSTRLEN', entry, 'id') + redis.call('HSTRLEN', entry, 'text') <= tonumber(ARGV[4])
    local id, text = unpack(isOurs and redis.call('HMGET', entry, 'id', 'text') or {})
    if text then
      local tries = redis.call('HINCRBY', entry, 'tries', 1)
      redis.call('ZADD', KEYS[1], ARGV[1] + ARGV[3] * 2 ^ (tries - 1), entry)
      table.insert(taken, { id, text, tries })
    else
      redis.call('ZREM', KEYS[1], entry)
    end
  end
  return taken`;
const REMOVE = `
  if redis.call('HGET', KEYS[2], 'text') ~= ARGV[1] then return end
  redis.call('DEL', KEYS[2])
  redis.call('ZREM', KEYS[1], KEYS[2])`;

/**
 * Returns deadlines in Redis: each is taken by one gateway.
 * @param seconds returns seconds since the epoch
 * @returns its methods throw Fault `unavailable` while Redis does not answer
 */
export function redisDeadlines(client: Redis, tenant: string, seconds: () => number): Deadlines {
  const list = entryName('deadlines', tenant);
  const entry = (id: string) => entryName('deadline', tenant, id);
  const kept = (due: number) => Math.ceil(Math.max(due - seconds(), 0)) + UNTAKEN_SECONDS;
  return {
    async set(id, text, due) {
      await required(client.eval(SET, 2, list, entry(id), id, text, due, kept(due)));
    },
    async change(id, { text = '', due }) {
      const times = due === undefined ? ['', ''] : [due, kept(due)];
      return (await required(client.eval(CHANGE, 2, list, entry(id), id, text, ...times))) === 1;
    },
    async take(most, pause) {
      const taken = (await required(client.eval(TAKE, 1, list, seconds(), most, pause, LARGEST_BYTES))) as [
        string,
        string,
        number,
      ][];
      return taken.map(([id, text, tries]) => ({ id, text, tries }));
    },
    remove: async ({ id, text }) => void (await required(client.eval(REMOVE, 2, list, entry(id), text))),
    waiting: () => required(client.zcount(list, '-inf', seconds())),
  };
}
