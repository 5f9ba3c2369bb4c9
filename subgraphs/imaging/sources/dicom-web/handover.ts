import type { IncomingHttpHeaders } from 'node:http';
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
 * Returns the headers of an answer by which the proxy asks the archive of a tenant as the gateway would; undefined if the
 * request did not come through the proxy, or only the gateway can ask.
 */
export type Handover = (
  tenant: Tenant,
  asked: {
    /** Headers of the request. */
    headers: IncomingHttpHeaders;
    /** Below the endpoint of the archive. */
    path: string;
    /** For the archive. */
    accept: string;
  },
) => Record<string, string> | undefined;

/** The parts of a handover that are the same for all objects of an archive. */
interface Archive {
  path: string;
  authorization: string | undefined;
}

/** Makes the handover of retrievals to the proxy. It keeps the archive of each tenant. */
export function handoverTo({ isAsking, isDirect }: HandoverProxy): Handover {
  const archives = new WeakMap<Tenant, Archive | false>();
  return (tenant, { headers, path, accept }) => {
    if (!isAsking(headers)) return undefined;
    let archive = archives.get(tenant);
    if (archive === undefined) archives.set(tenant, (archive = archiveOf(tenant, isDirect) ?? false));
    if (!archive) return undefined;
    const redirect = `${archive.path}${path}`;
    if (redirect.length > LONGEST) return undefined;
    return {
      [HANDOVER_HEADERS.redirect]: redirect,
      [HANDOVER_HEADERS.accept]: accept,
      ...(archive.authorization === undefined
        ? {}
        : { [HANDOVER_HEADERS.authorization]: archive.authorization }),
    };
  };
}

/**
 * Returns the archive of a tenant.
 * @returns undefined if only the gateway can ask: the tenant has several sources, withholds studies or is in the URL, or its
 *   archive is no DICOMweb server that is called directly, with credentials and without certificates of the tenant file
 */
function archiveOf(
  { images: [source, ...others], dynamic, authorization: { withhold } }: Tenant,
  isDirect: HandoverProxy['isDirect'],
): Archive | undefined {
  if (dynamic || withhold.length > 0 || others.length > 0) return undefined;
  if (source?.type !== 'dicom-web' || source.tls) return undefined;
  const { endpoint, authentication } = source;
  const path = internalPath(endpoint);
  if (path === undefined || authentication.type === 'oauth2' || !isDirect(endpoint)) return undefined;
  const authorization = authorizationOf(authentication);
  return HEADER_VALUE.test(authorization ?? '') ? { path, authorization } : undefined;
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
