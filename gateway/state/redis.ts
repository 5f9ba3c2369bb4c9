import { Redis } from 'ioredis';
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { Fault } from '../../schema/fault/fault.ts';

/** The store that the gateways of one installation share (REDIS_URL). */
export interface SharedRedis {
  client: Redis;
  /** Whether it answers at this moment, and takes what is written. */
  reachable(): boolean;
  /** Told when the store comes and goes, with the reason where there is one. */
  onChange(listener: (reachable: boolean, reason?: string) => void): void;
  close(): void;
}

/** A store in the same place answers within a millisecond; one that takes this long is as good as gone. */
const PATIENCE_MILLISECONDS = 500;
const LONGEST_PAUSE_MILLISECONDS = 1000;
/** How often it is tried whether it takes what is written. */
const PROBE_MILLISECONDS = 1000;
/** How often a store that is read-only is connected to anew. */
const RECONNECT_MILLISECONDS = 3000;

/** Bytes of a value: 512 Ki characters that are sealed. What is longer is none of ours, and is not read. */
export const LARGEST_BYTES = 2.5 * 2 ** 20;

/**
 * Connects, and goes on connecting for as long as the process lives. Commands fail at once while there is no connection:
 * nothing is queued, and nothing is sent twice. A store that is full or read-only answers, but counts as gone: it is
 * tried by writing to it.
 * @param url `redis://` or `rediss://`; it may hold a password and is told to nobody
 */
export function openRedis(url: string): SharedRedis {
  const changes = new EventEmitter();
  let reconnected = -Infinity;
  const isTimeToReconnect = (): boolean => {
    if (performance.now() - reconnected < RECONNECT_MILLISECONDS) return false;
    reconnected = performance.now();
    return true;
  };
  const client = new Redis(url, {
    connectionName: 'smart-imaging-gateway',
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: PATIENCE_MILLISECONDS,
    // What hangs is hung up on, so that the next caller is told at once.
    socketTimeout: PATIENCE_MILLISECONDS,
    connectTimeout: 2000,
    retryStrategy: (times) => Math.min(times * 50, LONGEST_PAUSE_MILLISECONDS),
    // After a failover the name may lead to another server.
    reconnectOnError: (error) => error.message.startsWith('READONLY') && isTimeToReconnect(),
  });
  let known: boolean | undefined;
  const change = (reachable: boolean, reason?: string) => {
    if (known !== reachable) changes.emit('change', reachable, reason);
    known = reachable;
  };
  let reason: string | undefined;
  let writable = false;
  const probe = async () => {
    if (client.status !== 'ready') return;
    try {
      await client.set(PROBE, '', 'PX', 2 * PROBE_MILLISECONDS);
      writable = true;
    } catch (error) {
      writable = false;
      // READONLY, OOM, MISCONF: the server's word, without the text after it.
      reason = (error as Error).message.split(' ', 1)[0];
    }
    change(writable && client.status === 'ready', reason);
  };
  const probing = setInterval(() => void probe(), PROBE_MILLISECONDS).unref();
  client.on('ready', () => void probe());
  // The code of a failed connection or the server's own word; never the command, which may be AUTH.
  client.on('error', (error: Error & { code?: string }) => (reason = error.code ?? error.message));
  client.on('close', () => {
    writable = false;
    change(false, reason);
  });
  return {
    client,
    reachable: () => writable && client.status === 'ready',
    onChange: (listener) => void changes.on('change', listener),
    close() {
      clearInterval(probing);
      client.removeAllListeners('close');
      client.disconnect();
    },
  };
}

/** The entry that is written to learn whether any can be. */
const PROBE = 'write-probe';

/**
 * Reads an entry that is at most as long as ours are: a longer one would hold up all requests while it is read.
 * @returns null where there is none, or a longer one
 */
export async function readEntry(client: Redis, name: string): Promise<string | null> {
  const text = await client.getrange(name, 0, LARGEST_BYTES);
  return text === '' || text.length > LARGEST_BYTES ? null : text;
}

/** The name of an entry: what identifies it may be a secret or name a patient, and stands there as a hash. */
export function entryName(kind: string, ...parts: readonly string[]): string {
  return `${kind}:${createHash('sha256').update(parts.join('\0')).digest('base64url')}`;
}

/**
 * What a command answers, where nothing else will do.
 * @throws Fault `unavailable`
 */
export async function required<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (cause) {
    throw new Fault('unavailable', 'A part of this service is not reachable at the moment; try again.', {
      service: 'authorization',
      retryAfter: 1,
      cause,
    });
  }
}
