import { createHash } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { boundedCache } from '../../../../schema/cache/bounded-cache.ts';
import { monotonic } from './throttle.ts';

/** Time for which failures are counted, from the first one. */
const WINDOW_SECONDS = 60;
/** Allowed failures of one client at one address, and of all clients at one address. */
const MOST_OF_CLIENT = 30;
const MOST_OF_ADDRESS = 120;
/** Largest number of counters. A further one removes the least recently used: memory stays limited. */
const MOST_COUNTERS = 10_000;

/** Origin of a request, not authenticated. */
export interface Asker {
  /** The endpoint: failures at one do not lock out of another. */
  endpoint: string;
  /** The client that the request names; empty when it names none. */
  client: string;
  /** IP address. */
  address: string;
}

/** Counts failed requests (SM-19). Failures at one address do not lock out other addresses. */
export type Failures = ReturnType<typeof failures>;

interface Counter {
  failures: number;
  /** When it restarts, on the monotonic clock. */
  ends: number;
}

/** Creates the counters. @param now milliseconds of a monotonic clock */
export function failures(now = monotonic) {
  const ofClients = boundedCache<Counter>({ entries: MOST_COUNTERS });
  const ofAddresses = boundedCache<Counter>({ entries: MOST_COUNTERS });
  const counters = ({ endpoint, client, address }: Asker) => {
    const network = networkOf(address);
    return [
      { kept: ofClients, key: keyOf(endpoint, client, network), most: MOST_OF_CLIENT },
      { kept: ofAddresses, key: keyOf(endpoint, network), most: MOST_OF_ADDRESS },
    ];
  };
  return {
    /** Returns the seconds until this origin may ask again; undefined: now. */
    wait(asker: Asker): number | undefined {
      const waits = counters(asker).map(({ kept, key, most }) => {
        const counter = kept.get(key);
        return counter && counter.failures >= most ? (counter.ends - now()) / 1000 : 0;
      });
      const longest = Math.max(...waits);
      return longest > 0 ? Math.ceil(longest) : undefined;
    },
    count(asker: Asker): void {
      for (const { kept, key } of counters(asker)) {
        const counter = kept.get(key);
        if (counter && now() < counter.ends) counter.failures += 1;
        else kept.set(key, { failures: 1, ends: now() + WINDOW_SECONDS * 1000 });
      }
    },
  };
}

/** Hashes the parts of a key, because names of clients may be long. */
const keyOf = (...parts: readonly string[]) =>
  createHash('sha256').update(parts.join('\0')).digest('base64url');

/** Returns an IPv4 address, or the /64 network of an IPv6 address, which belongs to one subscriber (RFC 6177). */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(.+)$/i.exec(address)?.[1];
  if (mapped !== undefined && isIPv4(mapped)) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.toLowerCase().split('%')[0]!.split('::');
  const groups = (part = '') => part.split(':').filter(Boolean);
  const zeros = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(Math.max(0, zeros)).fill('0'), ...groups(tail)];
  return all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}

/**
 * Returns the client that a request names, not authenticated: in HTTP Basic credentials, a client assertion, or the form
 * (RFC 6749 §2.3, RFC 7521 §4.2).
 * @returns empty when it names none
 */
export function namedClient(authorization: string | undefined, form: URLSearchParams): string {
  const basic = /^\s*basic\s+(\S+)/i.exec(authorization ?? '')?.[1];
  if (basic !== undefined) return decoded(Buffer.from(basic, 'base64').toString().split(':')[0]!);
  const [, claims] = (form.get('client_assertion') ?? '').split('.');
  return (claims !== undefined && subjectOf(claims)) || (form.get('client_id') ?? '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

function subjectOf(claims: string): string | undefined {
  try {
    const { sub } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { sub?: unknown };
    return typeof sub === 'string' ? sub : undefined;
  } catch {
    return undefined;
  }
}
