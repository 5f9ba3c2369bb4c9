import type Provider from 'oidc-provider';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { User } from './sign-in/identify.ts';
import type { LaunchContexts } from './sign-in/launch.ts';
import type { SilentConsents } from './sign-in/silent-consent.ts';

/** The authorization server of one tenant. */
export interface TenantServer {
  tenant: Tenant;
  provider: Provider;
  issuer: string;
  /** The resource that tokens are for: the FHIR base. */
  resource: string;
  contexts: LaunchContexts;
  consents: SilentConsents;
  /** Returns the requested scopes that a client may get by a user's consent. */
  appScopes(requested: string, clientId: string): string[];
  /** Returns a user who has signed in; undefined when there is no such user any more. */
  user(account: string): Promise<User | undefined>;
}
