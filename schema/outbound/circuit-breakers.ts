import { boundedCache } from '../cache/bounded-cache.ts';
import { logFault, type FaultLog } from '../fault/log-fault.ts';
import type { Tenant } from '../tenant/tenant.ts';
import { CircuitBreaker, type CircuitBreakerOptions, type OpenCircuit } from './circuit-breaker.ts';

/** Number of sources whose state is remembered. */
const MAX_REMEMBERED = 1000;

/** The part of a logger that the states of sources need. */
export interface StateLog extends FaultLog {
  info(details: object, message: string): void;
}

/** A source that is another system. */
export interface RemoteSource extends Required<Pick<CircuitBreakerOptions, 'silence' | 'patience'>> {
  /** Kind for the log: `archive`. */
  kind: string;
  /** Absolute URL. */
  address: string;
}

/** A source of a tenant that does not answer. */
export interface AwaySource extends OpenCircuit {
  /** Key of the tenant; undefined for one in a URL. */
  tenant: string | undefined;
  /** Place in the tenant file, and type: `images[0] (dicom-web)`. */
  source: string;
}

interface Remembered {
  breaker: CircuitBreaker;
  /** Tenants that use the source, by key, each with the place of the source in its file. */
  users: Map<string, { tenant: Tenant; place: string }>;
}

/** Remembers sources that do not answer, by address and credentials: tenants with both in common share it. */
export class CircuitBreakers {
  readonly #log: StateLog;
  readonly #remembered = boundedCache<Remembered>({
    entries: MAX_REMEMBERED,
    dispose: ({ breaker }) => breaker.close(),
  });

  constructor(log: StateLog) {
    this.#log = log;
  }

  /** Returns the memory of a source. @param key of its address and credentials */
  of(key: string, source: RemoteSource, user: { tenant: Tenant; place: string }): CircuitBreaker {
    let remembered = this.#remembered.get(key);
    if (!remembered) this.#remembered.set(key, (remembered = this.#remember(source)));
    remembered.users.set(user.tenant.key, user);
    return remembered.breaker;
  }

  /** Returns the sources that do not answer, once for each tenant that uses them. */
  away(): AwaySource[] {
    return [...this.#remembered.values()].flatMap(({ breaker: { open }, users }) =>
      [...users.values()].flatMap(({ tenant: { key, dynamic }, place }) =>
        open ? [{ tenant: dynamic ? undefined : key, source: place, ...open }] : [],
      ),
    );
  }

  /** Forgets a tenant that was replaced, and what only it used. */
  release(tenant: Tenant): void {
    for (const [key, { users }] of [...this.#remembered.entries()]) {
      if (users.get(tenant.key)?.tenant === tenant) users.delete(tenant.key);
      if (users.size === 0) this.#remembered.delete(key);
    }
  }

  close(): void {
    this.#remembered.clear();
  }

  #remember({ kind, address, patience, silence }: RemoteSource): Remembered {
    const users: Remembered['users'] = new Map();
    const { protocol, host, pathname } = new URL(address);
    const named = () => ({
      tenant: [...users.keys()].sort().join(', '),
      [kind]: `${protocol}//${host}${pathname}`,
    });
    const breaker = new CircuitBreaker({
      patience,
      silence,
      onChange: (now) => {
        if (now) logFault(this.#log, now.failure, named(), awayMessage(kind));
        else this.#log.info(named(), `the ${kind} answers again`);
      },
    });
    return { breaker, users };
  }
}

const awayMessage = (kind: string): string =>
  `the ${kind} is away: requests for what it has are 503 until it answers a probe`;
