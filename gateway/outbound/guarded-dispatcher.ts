import { lookup as dnsLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, fetch as undiciFetch, type Dispatcher } from 'undici';
import { Fault } from '../../schema/fault/fault.ts';
import { hostOf } from '../../schema/outbound/network.ts';
import { isPublicAddress } from './public-address.ts';

/** Tells if the operator allows this host, with or without its port (`DYN_ALLOWED_HOSTS`). */
export function isAllowedHost(allowed: ReadonlySet<string>, { host, hostname }: URL): boolean {
  return allowed.has(host) || allowed.has(hostname);
}

/** Tells if a host is not public by its text alone: a private address, or a name below `localhost`. */
export function isLocalHost(url: Pick<URL, 'hostname'>): boolean {
  const host = hostOf(url);
  return isIP(host) > 0 ? !isPublicAddress(host) : /(^|\.)localhost\.?$/.test(host);
}

/**
 * Returns the dispatcher of all dynamic tenants (SM-15). It connects only to public addresses and to hosts that the
 * operator allows. The check and the connection use the same lookup of a name, so that its address cannot change in
 * between. Redirects are not followed.
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
      // An IP address needs no lookup: it is checked here.
      if (isLocalHost(url)) return callback(notAllowed(), null);
      guarded(options, callback);
    },
  });
}

/** Returns a `fetch` that uses the dispatcher. Node's `fetch` does not accept a dispatcher of another undici version. */
export function fetchThrough(dispatcher: Dispatcher): typeof globalThis.fetch {
  const send = (url: string, init?: object) => undiciFetch(url, { ...init, dispatcher });
  // eslint-disable-next-line no-restricted-syntax -- types of Node and undici are of two versions
  return send as unknown as typeof globalThis.fetch;
}

/** Returns the Fault for a host that a dynamic tenant must not reach. */
export function notAllowed(): Fault {
  return new Fault(
    'not_implemented',
    'A dynamic tenant may use only public hosts, and private hosts that DYN_ALLOWED_HOSTS names.',
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
