import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { entryName, LARGEST_BYTES, type SharedRedis } from './redis.ts';

/** Milliseconds after which a lease ends that is not renewed: what the others lose when its holder dies. */
const LEASE_MILLISECONDS = 500;
const RENEWAL_MILLISECONDS = 150;
/** Milliseconds between two looks of a process that waits: the first, and the longest. */
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 50;
/** Returns the kept entry; without one takes the lease if it is free, and returns its holder. */
const JOIN = `
  local kept = redis.call('GETRANGE', KEYS[1], 0, ARGV[1])
  if kept ~= '' then return { kept } end
  redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3])
  return { '', redis.call('GETRANGE', KEYS[2], 0, 63) }`;
/** Returns the kept entry, the one for those who wait, and the holder of the lease. */
const LOOK = `
  return {
    redis.call('GETRANGE', KEYS[1], 0, ARGV[1]),
    redis.call('GETRANGE', KEYS[2], 0, ARGV[1]),
    redis.call('GETRANGE', KEYS[3], 0, 63),
  }`;
const RENEW = `
  if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end`;
/** Stores the answer, and gives the lease back: in one step, so that nobody finds neither. */
const END = `
  if ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
  if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

/** An entry of the store: its name, and its sealed text. */
export type SealedEntry = readonly [name: string, sealed: string];

/** A computation that equal ones of other processes wait for. */
export interface Flight {
  /** The answer if there is one: the kept entry, or the one that the process told for which this one has waited. */
  found?: SealedEntry | undefined;
  /** Name of the entry for those who wait for this process. */
  told: string;
  /** Ends it, and with it the wait of the others. Without an answer they compute it themselves. */
  end(answer?: SealedEntry, milliseconds?: number): Promise<void>;
}

/**
 * Begins a computation. If another process does the same one, waits until it has ended, its lease is over, the store does
 * not answer, or the time is over.
 * @param name of the kept entry
 * @param patience seconds. The lease of a computation that takes longer ends, so that later ones do not wait for it.
 */
export async function joinFlight(redis: SharedRedis, name: string, patience: number): Promise<Flight> {
  const { client, reachable } = redis;
  const lease = entryName('lease', name);
  const id = randomUUID();
  const until = performance.now() + patience * 1000;
  let renewing: NodeJS.Timeout | undefined;
  const renew = () => {
    if (performance.now() >= until) return clearInterval(renewing);
    void client.eval(RENEW, 1, lease, id, LEASE_MILLISECONDS).catch(() => undefined);
  };
  const join = async (): Promise<SealedEntry | undefined> => {
    const answer = client.eval(JOIN, 2, name, lease, LARGEST_BYTES, id, LEASE_MILLISECONDS);
    const [kept, holder] = (await answer) as [string, string];
    if (kept) return [name, kept];
    if (holder !== id) return waitFor(client, { name, lease, holder, until });
    renewing = setInterval(renew, RENEWAL_MILLISECONDS).unref();
    return undefined;
  };
  return {
    found: reachable() ? await join().catch(() => undefined) : undefined,
    told: toldBy(id),
    async end([entry, sealed] = [name, ''], milliseconds = 0) {
      clearInterval(renewing);
      if (reachable())
        await client.eval(END, 2, lease, entry, id, sealed, milliseconds).catch(() => undefined);
    },
  };
}

const toldBy = (id: string) => entryName('told', id);

/** Waits for the answer of the process that holds a lease. */
async function waitFor(
  client: SharedRedis['client'],
  { name, lease, holder, until }: { name: string; lease: string; holder: string; until: number },
): Promise<SealedEntry | undefined> {
  const told = toldBy(holder);
  for (let pause = FIRST_PAUSE; performance.now() < until; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    await sleep(pause);
    const answer = client.eval(LOOK, 3, name, told, lease, LARGEST_BYTES);
    const [kept, theirs, now] = (await answer) as [string, string, string];
    if (kept) return [name, kept];
    if (theirs) return [told, theirs];
    if (now !== holder) return undefined;
  }
  return undefined;
}
