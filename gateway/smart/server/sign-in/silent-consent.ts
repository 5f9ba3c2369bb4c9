import type { KoaContextWithOIDC } from 'oidc-provider';
import { LIFETIMES } from '../lifetimes.ts';
import type { State } from '../state/state.ts';
import type { LaunchContexts } from './launch.ts';

/** Consents of one browser session, by client. */
export type SilentConsents = ReturnType<typeof silentConsents>;

/** More consents of one client in one session than a person gives. The oldest are forgotten. */
const MOST_GRANTS = 20;

/** Returns the consents in the tenant's state. */
export function silentConsents(state: State, tenant: string, contexts: LaunchContexts) {
  const rows = state.model(tenant, 'SilentConsents');
  const nameOf = (session: string, clientId: string) => `${session} ${clientId}`;
  const read = async (session: string, clientId: string): Promise<string[]> => {
    const row = await rows.find(nameOf(session, clientId));
    return (row?.extra as { grants?: string[] } | undefined)?.grants ?? [];
  };

  return {
    /** Records that the user of a session has consented to a grant. */
    async remember(session: string, clientId: string, grantId: string): Promise<void> {
      const grants = [...(await read(session, clientId)), grantId].slice(-MOST_GRANTS);
      await rows.upsert(nameOf(session, clientId), { extra: { grants } }, LIFETIMES.Session);
    },

    /**
     * Returns the grant that answers a request without a page (`prompt=none`, OpenID Connect Core §3.1.2.1): the last consent
     * of the same user to the same client in the same browser session. Undefined means that the user has to be asked:
     * - the consent is revoked, or older than a session
     * - consents for several patients are valid: the request does not say which one it means
     * - the request is a launch by an EHR, which is a new context
     * - the redirect URI is registered with another port: any program of that machine could get the code (RFC 8252 §8.6)
     *
     * The caller compares the scopes.
     */
    async grantOf({ oidc }: KoaContextWithOIDC) {
      const { session, client, params, provider, account } = oidc;
      const redirectUri = params?.['redirect_uri'];
      if (!session || !client || !account || params?.['launch'] !== undefined) return undefined;
      if (typeof redirectUri !== 'string' || !client.redirectUris?.includes(redirectUri)) return undefined;
      const ids = await read(session.uid, client.clientId);
      const found = await Promise.all(
        ids.map(async (id) => ({ grant: await provider.Grant.find(id), context: await contexts.of(id) })),
      );
      const valid = found.filter(
        ({ grant }) => grant?.accountId === account.accountId && grant.clientId === client.clientId,
      );
      const patients = new Set(valid.map(({ context }) => context?.patient));
      return patients.size === 1 ? valid.at(-1)!.grant : undefined;
    },
  };
}
