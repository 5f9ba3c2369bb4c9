import type { Redis } from 'ioredis';
import { createHash } from 'node:crypto';
import { Fault } from '../../schema/fault/fault.ts';

/** The store that the gateways of one installation share (REDIS_URL). */
export interface SharedRedis {
  client: Redis;
  /** Returns true while it answers and accepts writes. */
  reachable(): boolean;
  /** Calls the listener when the store becomes reachable or unreachable, with the reason if known. */
  onChange(listener: (reachable: boolean, reason?: string) => void): void;
  close(): void;
}

/** Bytes of a value: 512 Ki characters, sealed. A longer value is not from a gateway, and is not read. */
export const LARGEST_BYTES = 2.5 * 2 ** 20;

/**
 * Reads an entry of at most `LARGEST_BYTES`: reading a longer one would delay all requests.
 * @returns null when there is none or it is longer
 */
export async function readEntry(client: Redis, name: string): Promise<string | null> {
  const text = await client.getrange(name, 0, LARGEST_BYTES);
  return text === '' || text.length > LARGEST_BYTES ? null : text;
}

/** Returns the name of an entry. It holds a hash of `parts`, which may be a secret or name a patient. */
export function entryName(kind: string, ...parts: readonly string[]): string {
  return `${kind}:${createHash('sha256').update(parts.join('\0')).digest('base64url')}`;
}

/**
 * Awaits a command whose answer is needed.
 * @throws Fault `unavailable` when it fails
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
