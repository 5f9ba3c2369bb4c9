import { Agent, Dispatcher } from 'undici';
import type { ChooseDispatcher } from '../../schema/outbound/choose-dispatcher.ts';
import { RenewedTls, type TlsConfig, type TlsLog, type TlsMaterial } from '../../schema/outbound/tls.ts';
import { tlsParts, type Tenant } from '../../schema/tenant/tenant.ts';
import { fetchThrough, guardedDispatcher } from './guarded-dispatcher.ts';

/** The connections of all tenants to their EHRs and archives. */
export interface Connections {
  dispatcher: ChooseDispatcher;
  /** Returns the `fetch` for what `authorization` of a tenant names, or leads to. */
  fetch: (tenant: Pick<Tenant, 'dynamic'> & Partial<Tenant>) => typeof globalThis.fetch;
}

export interface ConnectionsOptions {
  /** Private hosts that dynamic tenants may reach (DYN_ALLOWED_HOSTS). */
  dynamicHosts: ReadonlySet<string>;
  log: TlsLog;
  /** Tenants of files, whose certificates are read at once: later, a broken file would have none before it. */
  tenants?: readonly Tenant[];
}

/** Callers have shorter timeouts; these only end requests that hang. */
const TIMEOUTS = {
  keepAliveTimeout: 4_000,
  keepAliveTimeoutThreshold: 100,
  headersTimeout: 610_000,
  bodyTimeout: 60_000,
};
const CONNECT_TIMEOUT = 10_000;

/**
 * Makes the connections of tenants: the only place that knows their certificates and guards. All dynamic tenants share one
 * guarded dispatcher; each `tls` of a tenant file has its own dispatcher, and without `tls` there is the default one.
 */
export function outboundConnections({ dynamicHosts, log, tenants = [] }: ConnectionsOptions): Connections {
  const guarded = guardedDispatcher(dynamicHosts);
  const guardedFetch = fetchThrough(guarded);
  const known = new WeakMap<TlsConfig, { dispatcher: Dispatcher; fetch: typeof globalThis.fetch }>();
  const withTls = (tls: TlsConfig) => {
    let made = known.get(tls);
    if (!made) {
      const dispatcher = new RenewedDispatcher(new RenewedTls(tls, log));
      made = { dispatcher, fetch: fetchThrough(dispatcher) };
      known.set(tls, made);
    }
    return made;
  };
  for (const { tls } of tenants.flatMap(tlsParts)) withTls(tls);
  return {
    dispatcher: ({ dynamic }, tls) => (dynamic ? guarded : tls && withTls(tls).dispatcher),
    fetch: ({ dynamic, authorization }) => {
      if (dynamic) return guardedFetch;
      return authorization?.tls ? withTls(authorization.tls).fetch : fetch;
    },
  };
}

/** Opens connections with the certificates of now. Requests that run end on the connections that they have. */
class RenewedDispatcher extends Dispatcher {
  readonly #tls: RenewedTls;
  #material: TlsMaterial;
  #agent: Agent;

  constructor(tls: RenewedTls) {
    super();
    this.#tls = tls;
    this.#material = tls.current();
    this.#agent = agentWith(this.#material);
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const material = this.#tls.current();
    if (material !== this.#material) {
      void this.#agent.close();
      this.#material = material;
      this.#agent = agentWith(material);
    }
    return this.#agent.dispatch(options, handler);
  }
}

function agentWith(tls: TlsMaterial): Agent {
  return new Agent({ ...TIMEOUTS, connect: { timeout: CONNECT_TIMEOUT, ...tls } });
}
