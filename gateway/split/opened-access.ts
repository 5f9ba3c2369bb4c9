import { LRUCache } from 'lru-cache';
import { open, type Access } from '../../schema/access/access.ts';
import { deepFreeze } from '../../schema/process/deep-freeze.ts';
import type { ServiceName } from '../federation/service-name.ts';

/** Characters of the seals whose Access is kept, and of one. */
const MOST_CHARACTERS = 16_000_000;
const LONGEST_KEPT = 64_000;

export interface OpenerOptions {
  service: ServiceName;
  /** SEALING_KEY, derived: any of them opens. */
  keys: readonly Uint8Array[];
  /** Milliseconds since the epoch. */
  now: () => number;
}

/**
 * Returns a function that opens a sealed Access. One seal comes with many requests, and is opened once: its contents are
 * frozen, and shared by them. Each request gets an object of its own.
 * @throws Fault `unauthenticated` of the function, as `open`
 */
export function accessOpener({ service, keys, now }: OpenerOptions): (sealed: string) => Promise<Access> {
  const opened = new LRUCache<string, { access: Access; until: number }>({
    maxSize: MOST_CHARACTERS,
    maxEntrySize: LONGEST_KEPT,
    sizeCalculation: (_, sealed) => 2 * sealed.length,
  });
  return async (sealed) => {
    const seconds = now() / 1000;
    const known = opened.get(sealed);
    if (known && seconds < known.until) return { ...known.access };
    const { access, until } = deepFreeze(await open(sealed, keys, service, seconds));
    opened.set(sealed, { access, until });
    return { ...access };
  };
}
