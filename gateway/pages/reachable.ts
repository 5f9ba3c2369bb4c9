/** Asks which servers of tenants can be reached, for the start page. It decides nothing about requests. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { TlsConfig } from '../../schema/outbound/tls.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { expiringCache } from '../smart/token/expiring-cache.ts';
import { send, type UpstreamDeps } from '../smart/token/upstream.ts';

/** Seconds for which a server is not asked again, however many people open the page. */
const KEPT_SECONDS = 60;
/** Milliseconds that a server may take. */
const PATIENCE = 3000;

/** A server of a tenant. */
interface Address {
  url: string;
  tls: TlsConfig | undefined;
}

/** Lists the other servers that a tenant needs: EHR, FHIR server, archives. */
export function serversOf({ authorization, clinical, images }: Tenant): Address[] {
  const { fhirBaseUrl, tls } = authorization;
  const archives = images.flatMap((source) => (source.type === 'folder' ? [] : [source]));
  return [
    ...(fhirBaseUrl === undefined ? [] : [{ url: fhirBaseUrl, tls }]),
    ...(clinical.type === 'fhir' ? [{ url: clinical.baseUrl, tls: clinical.tls }] : []),
    ...archives.map((source) => ({ url: source.endpoint, tls: source.tls })),
  ];
}

export type Reachable = (tenant: Tenant) => Promise<boolean>;

/**
 * Returns a function that tells whether all servers of a tenant can be reached. Each is asked at most once a minute, for its
 * headers and without credentials: any answer counts.
 */
export function reachability(outside: UpstreamDeps): Reachable {
  const kept = expiringCache<{ isReached: boolean }>(1000, outside.now);
  const answers = async (tenant: Tenant, { url, tls }: Address): Promise<void> => {
    const signal = AbortSignal.timeout(PATIENCE);
    if (!url.startsWith('dimse:')) {
      const { body } = await send(outside, tenant, { url, method: 'HEAD', tls, signal });
      await body.dump();
      return;
    }
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ''));
    await once(socket, 'connect', { signal }).finally(() => socket.destroy());
  };
  return async (tenant) => {
    const reached = serversOf(tenant).map(async (server) =>
      kept.get(server.url, async () => {
        const isReached = await answers(tenant, server).then(
          () => true,
          () => false,
        );
        return { value: { isReached }, seconds: KEPT_SECONDS };
      }),
    );
    return (await Promise.all(reached)).every(({ isReached }) => isReached);
  };
}
