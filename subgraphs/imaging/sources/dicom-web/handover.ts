import { basic } from '../../../../schema/outbound/client-credentials.ts';
import { HANDOVER_HEADERS, type HandoverProxy } from '../../../../schema/outbound/handover-proxy.ts';
import type { ServiceAuthentication, Tenant } from '../../../../schema/tenant/tenant.ts';

/** Path of the proxy below which the archives are. Clients cannot reach it. */
const INTERNAL = '/_accel';
/** Characters of a path: all headers of an answer must fit into one buffer of the proxy. */
const LONGEST = 2000;
const HEADER_VALUE = /^[\x20-\x7e]*$/;
/** Paths that no server writes in another way. */
const PLAIN_PATH = /^(\/[\w.~-]+)*\/?$/;

/**
 * Returns the headers by which the proxy asks the archive of a tenant as the gateway would.
 * @param path below the endpoint of the archive
 * @param accept for the archive
 * @returns undefined if only the gateway can ask: the tenant has several sources, withholds studies or is in the URL, or its
 *   archive is no DICOMweb server that is called directly, with credentials and without certificates of the tenant file
 */
export function handoverHeaders(
  { images: [source, ...others], dynamic, authorization: { withhold } }: Tenant,
  { path, accept }: { path: string; accept: string },
  { isDirect }: Pick<HandoverProxy, 'isDirect'>,
): Record<string, string> | undefined {
  if (dynamic || withhold.length > 0 || others.length > 0) return undefined;
  if (source?.type !== 'dicom-web' || source.tls) return undefined;
  const { endpoint, authentication } = source;
  const internal = internalPath(endpoint);
  if (internal === undefined || authentication.type === 'oauth2' || !isDirect(endpoint)) return undefined;
  const redirect = `${internal}${path}`;
  const authorization = authorizationOf(authentication);
  if (redirect.length > LONGEST || !HEADER_VALUE.test(authorization ?? '')) return undefined;
  return {
    [HANDOVER_HEADERS.redirect]: redirect,
    [HANDOVER_HEADERS.accept]: accept,
    ...(authorization !== undefined && { [HANDOVER_HEADERS.authorization]: authorization }),
  };
}

/** Returns `/_accel/http/host:port/path` for the endpoint of an archive; undefined if it has more than these parts. */
function internalPath(endpoint: string): string | undefined {
  const { protocol, host, pathname, username, password, search, hash } = new URL(endpoint);
  if (username || password || search || hash || !PLAIN_PATH.test(pathname)) return undefined;
  return `${INTERNAL}/${protocol.slice(0, -1)}/${host}${pathname.replace(/\/$/, '')}`;
}

function authorizationOf(authentication: ServiceAuthentication): string | undefined {
  if (authentication.type === 'http-basic') return basic(authentication.username, authentication.password);
  return authentication.type === 'bearer' ? `Bearer ${authentication.token}` : undefined;
}
