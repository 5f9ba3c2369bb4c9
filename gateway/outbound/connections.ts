import { Dispatcher, type Agent } from 'undici';
import type { ChooseDispatcher } from '../../schema/outbound/choose-dispatcher.ts';
import {
  RenewedTls,
  withDetails,
  type TlsConfig,
  type TlsLog,
  type TlsMaterial,
} from '../../schema/outbound/tls.ts';
import { tlsParts, type Tenant } from '../../schema/tenant/tenant.ts';
import { fetchThrough, guardedDispatcher } from './guarded-dispatcher.ts';
import { agentWithProxy, chooseProxy, type ChooseProxy, type ProxySettings } from './proxy.ts';

/** The connections of all tenants to their EHRs and archives. */
export interface Connections {
  dispatcher: ChooseDispatcher;
  /** Returns a `fetch` over the same connections. */
  fetch: (tenant: Pick<Tenant, 'dynamic' | 'key'>, tls?: TlsConfig) => typeof globalThis.fetch;
}

export interface ConnectionsOptions extends ProxySettings {
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
 * Makes the connections of tenants: the only place that knows their certificates, guards and proxies. Each `tls` of a tenant
 * file has its own dispatcher. All dynamic tenants share the guarded one, which never uses a proxy: a proxy looks names up
 * itself, and so could be led to a private address after our check (SM-15).
 */
export function outboundConnections(options: ConnectionsOptions): Connections {
  const { dynamicHosts, log, tenants = [], httpProxy, httpsProxy } = options;
  const proxyOf = chooseProxy(options);
  const connections = (dispatcher: Dispatcher) => ({ dispatcher, fetch: fetchThrough(dispatcher) });
  const guarded = connections(guardedDispatcher(dynamicHosts));
  const usual =
    (httpProxy ?? httpsProxy) === undefined
      ? { dispatcher: undefined, fetch }
      : connections(agentWith({}, proxyOf));
  const known = new WeakMap<TlsConfig, typeof guarded>();
  const withTls = (tls: TlsConfig, tenant: string) => {
    const renewed = () => new RenewedTls(tls, withDetails(log, { tenant }));
    const made = known.get(tls) ?? connections(new RenewedDispatcher(renewed(), proxyOf));
    known.set(tls, made);
    return made;
  };
  for (const tenant of tenants) for (const { tls } of tlsParts(tenant)) withTls(tls, tenant.key);
  const choose = ({ dynamic, key }: Pick<Tenant, 'dynamic' | 'key'>, tls?: TlsConfig) =>
    dynamic ? guarded : tls ? withTls(tls, key) : usual;
  return {
    dispatcher: (tenant, tls) => choose(tenant, tls).dispatcher,
    fetch: (tenant, tls) => choose(tenant, tls).fetch,
  };
}

/** Opens connections with the certificates of now. Requests that run end on the connections that they have. */
class RenewedDispatcher extends Dispatcher {
  readonly #tls: RenewedTls;
  readonly #proxyOf: ChooseProxy;
  #material: TlsMaterial;
  #agent: Agent;

  constructor(tls: RenewedTls, proxyOf: ChooseProxy) {
    super();
    this.#tls = tls;
    this.#proxyOf = proxyOf;
    this.#material = tls.current();
    this.#agent = agentWith(this.#material, proxyOf);
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const material = this.#tls.current();
    if (material !== this.#material) {
      void this.#agent.close();
      this.#material = material;
      this.#agent = agentWith(material, this.#proxyOf);
    }
    return this.#agent.dispatch(options, handler);
  }
}

const agentWith = (tls: TlsMaterial, proxyOf: ChooseProxy): Agent =>
  agentWithProxy({ ...TIMEOUTS, connect: { timeout: CONNECT_TIMEOUT, ...tls } }, proxyOf);
