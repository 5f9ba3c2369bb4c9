import { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { smartConfigurations } from '../discovery/ehr-configuration.ts';
import { backendTokens } from './backend-token.ts';
import { bodyOf, send, upstreamFault, type Sent, type UpstreamDeps } from './upstream.ts';

/** A request of the gateway itself. */
export interface OwnRequest extends Pick<Sent, 'url' | 'signal'> {
  method: 'GET' | 'DELETE';
  headers: Record<string, string>;
}

/** Scope of our token, where the tenant file has none: what is exported is decided by the EHR, and the request. */
const SCOPE = 'system/*.rs';

/**
 * Returns the requests of the gateway to the EHRs of tenants, as a client of Backend Services (SMART App Launch 2.2 §5). The token
 * is sent to the origin of the FHIR server only. A server that the EHR names gets none, and has to have a public address.
 */
export function ownRequests(outside: UpstreamDeps) {
  const documents = smartConfigurations(outside);
  const tokens = backendTokens(outside);
  const tokenOf = async (tenant: Tenant): Promise<string> => {
    const config = tenant.authorization;
    const hasEhr = config.type !== 'embedded' && config.type !== 'mock';
    if (!hasEhr || !(config.client?.jwkPrivate ?? config.client?.client_secret)) {
      const message = 'This tenant has no client with which the gateway could ask its EHR for an export.';
      throw new Fault('not_implemented', message, { service: 'authorization' });
    }
    const asked = { ...config, scope: config.scope ?? SCOPE };
    return tokens.get(tenant, config.client!, asked, await documents(tenant, config));
  };

  return (tenant: Tenant) => async (request: OwnRequest, isAuthorized: boolean) => {
    const { clinical } = tenant;
    const server = clinical.type === 'fhir' ? clinical : undefined;
    const isEhr = server !== undefined && new URL(request.url).origin === new URL(server.baseUrl).origin;
    if (isAuthorized && !isEhr) {
      const cause = new Error(`our token is not sent to ${new URL(request.url).origin}`);
      throw upstreamFault('names another server for what only our token opens', cause);
    }
    // The guard of dynamic tenants: what the EHR names must not lead to servers here (SM-15).
    const connections = isEhr ? tenant : { ...tenant, dynamic: true };
    const ask = async () => {
      const headers = isAuthorized
        ? { ...request.headers, authorization: `Bearer ${await tokenOf(tenant)}` }
        : request.headers;
      return send(outside, connections, { ...request, headers, tls: isEhr ? server.tls : undefined });
    };
    let answer = await ask();
    if (isAuthorized && answer.statusCode === 401) {
      // It may have been revoked early.
      await answer.body.dump();
      tokens.drop(tenant);
      answer = await ask();
    }
    return { status: answer.statusCode, headers: answer.headers, body: bodyOf(answer) };
  };
}
