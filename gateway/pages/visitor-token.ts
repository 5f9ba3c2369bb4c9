/** The token in the ready-made request of the start page. */
import type { FastifyInstance } from 'fastify';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { expiringCache } from '../smart/token/expiring-cache.ts';

/** A tenant with this client offers every visitor a token for one patient. */
const CLIENT = 'start-page';

/** A patient of whom visitors may see everything, without a sign-in. */
export interface Offer {
  tenant: Tenant;
  patientId: string;
  secret: string;
}

/**
 * Finds the demonstration that gives visitors a token: its file has the client `start-page`, whose policy names one patient.
 * Visitors see no more than by its sign-in, which has no passwords.
 */
export function offerOf(tenants: readonly Tenant[]): Offer | undefined {
  for (const tenant of tenants) {
    const { type, clients, policy } = tenant.authorization;
    if (type !== 'embedded' || !Array.isArray(policy)) continue;
    const secret = clients.find(({ client_id: id }) => id === CLIENT)?.['client_secret'];
    const [patientId, ...others] = policy.flatMap(({ client_id: id, patients }) =>
      id === CLIENT ? patients : [],
    );
    if (typeof secret === 'string' && patientId !== undefined && others.length === 0)
      return { tenant, patientId, secret };
  }
  return undefined;
}

/**
 * Returns a function that gets a token as every backend service gets one, at the token endpoint of the tenant. Visitors share
 * it: there is one token for half of its lifetime, so that each has the other half to use it.
 * @returns a function that resolves to undefined where there is none
 */
export function visitorTokens(app: FastifyInstance, now: () => number) {
  const kept = expiringCache<{ token?: string | undefined }>(100, now);
  return async ({ tenant, secret }: Offer): Promise<string | undefined> => {
    const { token } = await kept.get(tenant.cacheKey, async () => {
      const answer = await app.inject({
        method: 'POST',
        url: `/${tenant.path}/oauth/token`,
        headers: {
          authorization: `Basic ${btoa(`${CLIENT}:${encodeURIComponent(secret)}`)}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        payload: 'grant_type=client_credentials&scope=system/*.rs',
      });
      if (answer.statusCode !== 200) return { value: {}, seconds: 1 };
      const granted = answer.json<{ access_token: string; expires_in: number }>();
      return { value: { token: granted.access_token }, seconds: granted.expires_in / 2 };
    });
    return token;
  };
}
