import { open, type Access } from '../../schema/access/access.ts';
import { deepFreeze } from '../../schema/process/deep-freeze.ts';
import { copyWith } from '../../schema/process/copy-with.ts';
import type { ServiceName } from '../federation/request/service-name.ts';
import { SealCache } from './seal-cache.ts';

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
  const opened = new SealCache<Access>(now);
  return async (sealed) => {
    const known = opened.get(sealed);
    if (known) return copyWith(known, {});
    const seconds = now() / 1000;
    const { access, until } = deepFreeze(await open(sealed, keys, service, seconds));
    opened.set(sealed, access, until - seconds);
    return copyWith(access, {});
  };
}
