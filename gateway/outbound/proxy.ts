import { BlockList, isIPv6 } from 'node:net';
import { Agent, Pool, ProxyAgent, type Dispatcher } from 'undici';
import { hostOf, networkOf } from '../../schema/outbound/network.ts';
import { isAwayStatus } from '../../schema/outbound/unreachable.ts';

/** The outbound proxy, as most programs read it from the environment; its URLs may hold a password and are never logged. */
export interface ProxySettings {
  httpsProxy?: string | undefined;
  httpProxy?: string | undefined;
  /** Hosts that are called directly. */
  noProxy?: string | undefined;
}

/** Returns the URL of the proxy for a URL; undefined for a direct connection. */
export type ChooseProxy = (url: URL) => string | undefined;

/** Hosts that are never called through a proxy, where they would be its own machine. */
const LOOPBACK = ['localhost', '127.0.0.0/8', '::1'];

/**
 * Chooses by the settings. `NO_PROXY` lists host names, which stand for those below them too, addresses and networks, each
 * with an optional port; `*` is every host.
 */
export function chooseProxy({ httpsProxy, httpProxy, noProxy = '' }: ProxySettings): ChooseProxy {
  const direct = [...LOOPBACK, ...noProxy.split(/[\s,]+/).filter(Boolean)].map(matcher);
  return (url) => {
    const isTls = url.protocol === 'https:';
    const host = hostOf(url).replace(/\.$/, '');
    const port = url.port || (isTls ? '443' : '80');
    if (direct.some((matches) => matches(host, port))) return undefined;
    return isTls ? httpsProxy : httpProxy;
  };
}

type Matcher = (host: string, port: string) => boolean;

function matcher(entry: string): Matcher {
  const [, bracketed, plain, onlyPort] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [];
  const name = (bracketed ?? plain ?? entry).toLowerCase();
  const network = networkOf(name);
  if (!network) {
    const below = name.replace(/^\*?\.?/, '.');
    return (host, port) =>
      (below === '.' || `.${host}`.endsWith(below)) && (onlyPort === undefined || port === onlyPort);
  }
  const addresses = new BlockList();
  addresses.addSubnet(network.address, network.prefix, network.family);
  return (host, port) =>
    networkOf(host) !== undefined &&
    addresses.check(host, isIPv6(host) ? 'ipv6' : 'ipv4') &&
    (onlyPort === undefined || port === onlyPort);
}

/** An agent that connects directly, or through the proxy of an origin: TLS by a tunnel (RFC 9110 §9.3.6). */
export function agentWithProxy(
  options: Agent.Options & { connect: NonNullable<ProxyAgent.Options['requestTls']> & { timeout: number } },
  proxyOf: ChooseProxy,
): Agent {
  const { connect, ...timeouts } = options;
  return new Agent({
    ...options,
    factory: (origin, own) => {
      const uri = proxyOf(new URL(origin));
      if (uri === undefined) return new Pool(origin, own as Pool.Options);
      return new ProxyAgent({
        ...timeouts,
        uri,
        requestTls: connect,
        proxyTls: { timeout: connect.timeout },
        proxyTunnel: false,
        factory: (target, given) => new Pool(target, { ...timeouts, ...given }),
        clientFactory: (target, given) => tunnels(target, { ...given, headersTimeout: connect.timeout }),
      });
    },
  });
}

/** Returns connections to a proxy, whose errors say that they are the proxy's. */
function tunnels(proxy: URL, options: object): Pool {
  const pool = new Pool(proxy, options);
  const connect = pool.connect.bind(pool);
  const connectOrFail = async (request: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> => {
    const answer = await connect(request).catch((error: NodeJS.ErrnoException) => {
      throw proxyError('ERR_PROXY_AWAY', `the proxy cannot be reached (${error.code ?? error.name})`);
    });
    const { statusCode, socket } = answer;
    if (statusCode === 200) return answer;
    socket.on('error', () => undefined).destroy();
    const code = isAwayStatus(statusCode) ? 'ERR_PROXY_AWAY' : 'ERR_PROXY_REFUSED';
    throw proxyError(code, `the proxy answered ${statusCode}`);
  };
  return Object.assign(pool, { connect: connectOrFail });
}

const proxyError = (code: string, message: string) => Object.assign(new Error(message), { code });
