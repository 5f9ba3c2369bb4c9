import type { HandoverProxy } from '../../schema/outbound/handover-proxy.ts';
import { sameAs } from '../http/same-secret.ts';
import { chooseProxy, type ProxySettings } from './proxy.ts';

/** Request header with ACCEL_KEY. */
const KEY = 'x-accel-key';

/**
 * The nginx in front of the gateway that fetches images from archives itself. It makes itself known by its key: an answer
 * for it has the credentials of an archive, which a client that reaches the gateway in another way must not get.
 * @param key ACCEL_KEY
 */
export function handoverProxy(key: string, proxies: ProxySettings): HandoverProxy {
  const proxyOf = chooseProxy(proxies);
  const isKey = sameAs(key);
  return {
    isAsking: (headers) => isKey(String(headers[KEY] ?? '')),
    isDirect: (url) => proxyOf(new URL(url)) === undefined,
  };
}
