import type { ChainableCommander } from 'ioredis';
import { randomUUID } from 'node:crypto';
import type { Adapter, AdapterPayload } from 'oidc-provider';
import { entryName, LARGEST_BYTES, readEntry, required, type SharedRedis } from '../../../state/redis.ts';
import type { Sealer } from '../../../state/sealed.ts';
import { redisDeadlines } from './redis-deadlines.ts';
import type { State } from './state.ts';
import { GRACE_SECONDS, ONCE, readRow, taken, used, written } from './state.ts';

/** Does not read a member that is longer than those that we write. */
const READ = `
  local function member(name)
    return redis.call('HSTRLEN', KEYS[1], name) <= tonumber(ARGV[1]) and redis.call('HGET', KEYS[1], name)
  end
  return { member('row'), member('consumed') }`;
/** Does not consume a row that does not exist. */
const CONSUME = `
  if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
  return redis.call('HSETNX', KEYS[1], 'consumed', ARGV[1])`;
const REVOKE = `
  for _, row in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    redis.call('DEL', row)
    redis.call('ZREM', KEYS[2], row)
  end
  return redis.call('DEL', KEYS[1])`;
const UNLOCK = `
  if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

/**
 * Returns state in Redis, for several gateways. Names of entries are hashes of ids, which are bearer secrets; contents are
 * sealed. Each change is one transaction or script: a row that one gateway consumed or revoked cannot be used at another.
 * @param now milliseconds since the epoch
 * @returns a State whose methods throw Fault `unavailable` while Redis does not answer
 */
export function redisState({ client }: SharedRedis, { seal, open }: Sealer, now: () => number): State {
  const seconds = () => Math.floor(now() / 1000);
  const rowsOf = (tenant: string, model: string) => entryName('oauth-rows', tenant, model);

  const model = (tenant: string, name: string): Adapter => {
    const key = (id: string) => entryName('oauth', tenant, name, id);
    const byGrant = (grantId: string) => entryName('oauth-grant', tenant, name, grantId);
    const byUid = (uid: string) => entryName('oauth-uid', tenant, name, uid);
    const rows = rowsOf(tenant, name);

    const read = async (row: string, id?: string): Promise<AdapterPayload | undefined> => {
      const answer = required(client.eval(READ, 1, row, LARGEST_BYTES));
      const [sealed, consumed] = (await answer) as (string | null)[];
      const text = sealed && open(sealed, row);
      if (!text) return undefined;
      const { payload, expires } = JSON.parse(text) as { payload: string; expires: number | null };
      if (expires !== null && expires <= seconds() - GRACE_SECONDS) return undefined;
      return readRow({ payload, consumed: consumed ? Number(consumed) : null }, id);
    };

    return {
      async upsert(id, payload, expiresIn) {
        const row = key(id);
        const expires = expiresIn === undefined ? null : seconds() + expiresIn;
        const sealed = seal(JSON.stringify({ payload: written(name, payload), expires }), row);
        const change = client.multi();
        if (name === ONCE) change.hsetnx(row, 'row', sealed);
        else change.hset(row, 'row', sealed);
        const keep = (entry: string) =>
          expiresIn === undefined ? change.persist(entry) : change.expire(entry, expiresIn + GRACE_SECONDS);
        keep(row);
        change.zremrangebyscore(rows, '-inf', seconds() - GRACE_SECONDS);
        change.zadd(rows, expires ?? '+inf', row);
        if (payload.uid !== undefined) {
          change.set(byUid(payload.uid), row);
          keep(byUid(payload.uid));
        }
        if (payload.grantId !== undefined) {
          // It is kept as long as its longest row.
          const grant = byGrant(payload.grantId);
          change.sadd(grant, row);
          if (expiresIn === undefined) change.persist(grant);
          else
            change
              .expire(grant, expiresIn + GRACE_SECONDS, 'NX')
              .expire(grant, expiresIn + GRACE_SECONDS, 'GT');
        }
        const [first] = await required(committed(change));
        if (name === ONCE && first === 0) throw await taken();
      },
      find: (id) => read(key(id), id),
      async findByUid(uid) {
        const row = await required(readEntry(client, byUid(uid)));
        const payload = row === null ? undefined : await read(row);
        // The row may have another uid by now.
        return payload?.uid === uid ? payload : undefined;
      },
      async findByUserCode() {
        return undefined; // There is no device flow.
      },
      async consume(id) {
        if ((await required(client.eval(CONSUME, 1, key(id), seconds()))) !== 1) throw await used();
      },
      async destroy(id) {
        await required(committed(client.multi().del(key(id)).zrem(rows, key(id))));
      },
      async revokeByGrantId(grantId) {
        await required(client.eval(REVOKE, 2, byGrant(grantId), rows));
      },
    };
  };

  return {
    model,
    count: (tenant, name) => required(client.zcount(rowsOf(tenant, name), `(${seconds()}`, '+inf')),
    deadlines: (tenant) => redisDeadlines(client, tenant, seconds),
    async lock(tenant, name, lasting) {
      const entry = entryName('lock', tenant, name);
      const holder = randomUUID();
      const held = (await required(client.set(entry, holder, 'EX', lasting, 'NX'))) === 'OK';
      return held ? async () => void (await required(client.eval(UNLOCK, 1, entry, holder))) : undefined;
    },
    close: () => undefined, // The caller closes the connection.
  };
}

/** Returns the answers of a transaction, and throws the errors in them, such as those of a full or read-only store. */
async function committed(change: ChainableCommander): Promise<unknown[]> {
  const answers = await change.exec();
  if (!answers) throw new Error('the transaction was discarded');
  return answers.map(([error, answer]) => {
    if (error) throw error;
    return answer;
  });
}
