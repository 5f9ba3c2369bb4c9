import { Redis } from 'ioredis';
import { createHash } from 'node:crypto';
import { Fault } from '../../schema/fault.ts';

/** The store that the gateways of one installation share (REDIS_URL). */
export interface SharedRedis {
  client: Redis;
  /** Whether it answers at this moment. */
  reachable(): boolean;
  close(): void;
}

/** A store in the same place answers within a millisecond; one that takes this long is as good as gone. */
const PATIENCE_MILLISECONDS = 500;
const LONGEST_PAUSE_MILLISECONDS = 1000;

/**
 * Connects, and goes on connecting for as long as the process lives. Commands fail at once while there is no connection:
 * nothing is queued, and nothing is sent twice.
 * @param url `redis://` or `rediss://`; it may hold a password and is told to nobody
 * @param onChange told when the store comes and goes, with the reason where there is one
 */
export function openRedis(url: string, onChange: (reachable: boolean, reason?: string) => void): SharedRedis {
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
  });
  let known: boolean | undefined;
  const change = (reachable: boolean, reason?: string) => {
    if (known !== reachable) onChange(reachable, reason);
    known = reachable;
  };
  let reason: string | undefined;
  client.on('ready', () => change(true));
  // The code of a failed connection or the server's own word; never the command, which may be AUTH.
  client.on('error', (error: Error & { code?: string }) => (reason = error.code ?? error.message));
  client.on('close', () => change(false, reason));
  return {
    client,
    reachable: () => client.status === 'ready',
    close() {
      client.removeAllListeners('close');
      client.disconnect();
    },
  };
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
