import { Redis } from 'ioredis';
import { EventEmitter } from 'node:events';
import type { SharedRedis } from './redis.ts';

/** A store in the same data centre answers within a millisecond; one that takes this long counts as unreachable. */
const TIMEOUT_MILLISECONDS = 500;
const LONGEST_PAUSE_MILLISECONDS = 1000;
/** Interval of the writes that test if the store accepts writes. */
const PROBE_MILLISECONDS = 1000;
/** Shortest time between two new connections to a read-only store. */
const RECONNECT_MILLISECONDS = 3000;

/**
 * Connects, and reconnects for as long as the process lives. Commands fail at once while there is no connection: nothing
 * is queued, and nothing is sent twice. A store that is full or read-only counts as unreachable: regular writes test it.
 * @param url `redis://` or `rediss://`; it may hold a password and is never logged
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
    commandTimeout: TIMEOUT_MILLISECONDS,
    // Closes a connection that hangs, so that the next command fails at once.
    socketTimeout: TIMEOUT_MILLISECONDS,
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
      // READONLY, OOM, MISCONF: the code of the server, without the text after it.
      reason = (error as Error).message.split(' ', 1)[0];
    }
    change(writable && client.status === 'ready', reason);
  };
  const probing = setInterval(() => void probe(), PROBE_MILLISECONDS).unref();
  client.on('ready', () => void probe());
  // The code of a failed connection or the server's message; never the command, which may be AUTH.
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

/** The entry that tests if the store accepts writes. */
const PROBE = 'write-probe';
