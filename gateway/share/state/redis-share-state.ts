import { LARGEST_BYTES, readEntry, required, type SharedRedis } from '../../state/redis.ts';
import type { ShareState, StoredShare } from './share-state.ts';

/** KEYS: the link, its capability, the lists of its owner. ARGV: now, most, seconds, end, details, uses, tries, files. */
const ADD = `
  local live = 0
  for index = 3, #KEYS do
    redis.call('ZREMRANGEBYSCORE', KEYS[index], '-inf', ARGV[1])
    live = live + redis.call('ZCARD', KEYS[index])
  end
  if live >= tonumber(ARGV[2]) then return 0 end
  redis.call('HSET', KEYS[1], 'details', ARGV[5], 'uses', ARGV[6], 'tries', ARGV[7], 'capability', KEYS[2], 'owner', KEYS[3])
  for index = 8, #ARGV do redis.call('HSET', KEYS[1], 'file' .. (index - 8), ARGV[index]) end
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  redis.call('SET', KEYS[2], KEYS[1], 'EX', ARGV[3])
  redis.call('ZADD', KEYS[3], ARGV[4], KEYS[1])
  local last = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')
  redis.call('EXPIRE', KEYS[3], math.ceil(last[2] - ARGV[1]))
  return 1`;
/** Does not read a member that is longer than those that we write. ARGV: the longest, and the members. */
const READ = `
  local found = {}
  for index = 2, #ARGV do
    local isOurs = redis.call('HSTRLEN', KEYS[1], ARGV[index]) <= tonumber(ARGV[1])
    table.insert(found, isOurs and redis.call('HGET', KEYS[1], ARGV[index]))
  end
  return found`;
/** Takes one of a number, and sets a member if it is given. Returns what is left, or -1. ARGV: the number; member, text. */
const TAKE = `
  if (tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '') or 0) <= 0 then return -1 end
  if ARGV[2] then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
  return redis.call('HINCRBY', KEYS[1], ARGV[1], -1)`;
const GIVE_BACK = `
  if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HINCRBY', KEYS[1], 'tries', 1) end`;
const REMOVE = `
  local others = redis.call('HMGET', KEYS[1], 'capability', 'owner')
  if not others[1] then return 0 end
  redis.call('ZREM', others[2], KEYS[1])
  return redis.call('DEL', KEYS[1], others[1]) > 0 and 1 or 0`;

/**
 * Returns links in Redis, for several gateways: each change is one script.
 * @param now milliseconds since the epoch
 * @returns a ShareState whose methods throw Fault `unavailable` while Redis does not answer
 */
export function redisShareState({ client }: SharedRedis, now: () => number): ShareState {
  const seconds = () => now() / 1000;
  const read = async (name: string, ...members: readonly string[]) =>
    (await required(client.eval(READ, 1, name, LARGEST_BYTES, ...members))) as (string | null)[];
  const find = async (name: string): Promise<StoredShare | undefined> => {
    const [details, uses, opening] = await read(name, 'details', 'uses', 'opening');
    if (!details) return undefined;
    return { name, details, uses: Number(uses), ...(opening && { opening }) };
  };
  return {
    async add({ name, capability, owners, expires, details, uses, tries, files }, most) {
      const lasting = Math.ceil(expires - seconds());
      const keys = [name, capability, ...owners];
      const rest = [seconds(), most, lasting, expires, details, uses, tries, ...files];
      return (await required(client.eval(ADD, keys.length, ...keys, ...rest))) === 1;
    },
    async ofOwner(owners) {
      const lists = owners.map((owner) => required(client.zrangebyscore(owner, `(${seconds()}`, '+inf')));
      const found = await Promise.all((await Promise.all(lists)).flat().map(find));
      return found.filter((share) => share !== undefined);
    },
    find,
    async ofCapability(capability) {
      const name = await required(readEntry(client, capability));
      return name === null ? undefined : find(name);
    },
    async takeTry(name) {
      const left = (await required(client.eval(TAKE, 1, name, 'tries'))) as number;
      return left < 0 ? undefined : left;
    },
    giveBackTry: async (name) => void (await required(client.eval(GIVE_BACK, 1, name))),
    open: async (name, opening) =>
      ((await required(client.eval(TAKE, 1, name, 'uses', 'opening', opening))) as number) >= 0,
    file: async (name, index) => (await read(name, `file${index}`))[0] ?? undefined,
    remove: async (name) => (await required(client.eval(REMOVE, 1, name))) === 1,
    issue: async (ticket, lasting) => void (await required(client.set(ticket, '1', 'EX', lasting))),
    use: async (ticket) => (await required(client.del(ticket))) === 1,
    close: () => undefined, // The caller closes the connection.
  };
}
