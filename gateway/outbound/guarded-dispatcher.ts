import { lookup as dnsLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, fetch as undiciFetch, type Dispatcher } from 'undici';
import { Fault } from '../../schema/fault/fault.ts';
import { hostOf } from '../../schema/outbound/network.ts';
import { isPublicAddress } from './public-address.ts';

/** Whether the operator named this host, with its port or without (`DYN_ALLOWED_HOSTS`). */
export function isAllowedHost(allowed: ReadonlySet<string>, { host, hostname }: URL): boolean {
  return allowed.has(host) || allowed.has(hostname);
}

/** Whether a host that is written like this is certainly not of the open internet: no lookup is needed to say so. */
export function isLocalHost(url: Pick<URL, 'hostname'>): boolean {
  const host = hostOf(url);
  return isIP(host) > 0 ? !isPublicAddress(host) : /(^|\.)localhost\.?$/.test(host);
}

/**
 * The connections of all dynamic tenants (SM-15): to addresses of the open internet and to the hosts that the operator
 * named. A name is judged by the addresses that are then connected to, so that it cannot mean another in between.
 * Redirects are not followed.
 * @param lookup resolves names, as `dns.lookup` does
 */
export function guardedDispatcher(allowed: ReadonlySet<string>, lookup = dnsLookup): Dispatcher {
  const timeout = 5_000;
  const free = buildConnector({ timeout });
  const guarded = buildConnector({ timeout, lookup: publicOnly(lookup) });
  return new Agent({
    keepAliveTimeout: 4_000,
    keepAliveTimeoutThreshold: 100,
    headersTimeout: 30_000,
    bodyTimeout: 60_000,
    connect: (options, callback) => {
      const { protocol, hostname, port } = options;
      const bracketed = isIP(hostname) === 6 ? `[${hostname}]` : hostname;
      const url = new URL(`${protocol}//${bracketed}${port ? `:${port}` : ''}`);
      if (isAllowedHost(allowed, url)) return free(options, callback);
      // An address that is written out is not looked up: it is judged here.
      if (isLocalHost(url)) return callback(notAllowed(), null);
      guarded(options, callback);
    },
  });
}

/** `fetch` over these connections. Node's own takes no dispatcher of another version of undici. */
export function fetchThrough(dispatcher: Dispatcher): typeof globalThis.fetch {
  return ((url: string, init?: object) =>
    undiciFetch(url, { ...init, dispatcher })) as unknown as typeof globalThis.fetch;
}

export function notAllowed(): Fault {
  return new Fault(
    'not_implemented',
    'A dynamic tenant reaches public hosts, and private ones that DYN_ALLOWED_HOSTS names.',
  );
}

const publicOnly =
  (lookup: typeof dnsLookup): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, []);
      const open = found.filter(({ address }) => isPublicAddress(address));
      if (open.length === 0) return callback(notAllowed(), []);
      if (options.all) return callback(null, open);
      callback(null, open[0]!.address, open[0]!.family);
    });
  };
