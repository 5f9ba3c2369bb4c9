import type { ClientMetadata, Configuration, KoaContextWithOIDC } from 'oidc-provider';
import Provider, { errors, interactionPolicy } from 'oidc-provider';
import { Fault } from '../../../schema/fault/fault.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import type { ScopeLevel } from '../../../schema/access/scopes.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { clientsOf } from './clients/clients.ts';
import { protectFormPost } from './ehr-login/form-post.ts';
import { grantable, grantableScopes } from './clients/grantable.ts';
import type { Delegation, Identify } from './sign-in/identify.ts';
import type { Keys } from './state/keys.ts';
import type { LaunchContexts } from './sign-in/launch.ts';
import { launchContexts } from './sign-in/launch.ts';
import { silentConsents } from './sign-in/silent-consent.ts';
import { isRegistered } from './clients/loopback.ts';
import { answerFaults, providerErrors } from './provider-faults.ts';
import { FEATURES, FIXED } from './provider-settings.ts';
import { renewRegistration } from './clients/registration.ts';
import { nameSuccessors, successors, withRotationGrace } from './state/rotation-grace.ts';
import { PATHS } from './endpoints.ts';
import type { TenantServer } from './tenant-server.ts';
import { spendFailedCodes } from './state/spent-codes.ts';
import type { State } from './state/state.ts';

export interface TenantServerOptions {
  baseUrl: string;
  state: State;
  keys: Keys;
  identify: Identify;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Called for internal errors, which never contain a token. */
  onError: (error: Error) => void;
}

/**
 * Configures `oidc-provider` as a SMART App Launch 2.2 authorization server.
 * @throws Error when a client of the tenant file cannot be used
 */
export function tenantServer(tenant: Tenant, options: TenantServerOptions): TenantServer {
  const { baseUrl, state, keys, now, onError } = options;
  const base = tenantBase(baseUrl, tenant);
  const issuer = `${base}/oauth`;
  const resource = `${base}/fhir`;
  // Clients of OAuth without SMART name the tenant by the protected resource (RFC 8707 §2; SM-3, SM-20).
  const resources = [resource, base, `${base}/mcp`];
  const clients = clientsOf(tenant);
  const contexts = launchContexts(state, tenant.key);
  const consents = silentConsents(state, tenant.key, contexts);
  // Whether a user is still signed in at an EHR is for the EHR to say.
  const isSilent = ({ oidc }: KoaContextWithOIDC) =>
    !options.identify.delegation && oidc.promptPending('none');
  // An app that has an id_token knows its user. The provider has verified it in this request, and asks for a sign-in if it is
  // of another user; it does not do so when an interaction is resumed, which counts only from the consent on.
  const isHinted = ({ oidc }: KoaContextWithOIDC) =>
    !options.identify.delegation &&
    oidc.params?.['id_token_hint'] !== undefined &&
    (oidc.entities.IdTokenHint !== undefined || oidc.result?.consent !== undefined);
  const keepsUser = (ctx: KoaContextWithOIDC) =>
    ctx.oidc.account !== undefined && (isSilent(ctx) || isHinted(ctx));
  const { modes } = tenant.authorization;
  const levels: ScopeLevel[] = modes.includes('app-launch') ? ['patient', 'user'] : [];
  const backendLevels: ScopeLevel[] = modes.includes('backend-services') ? ['system'] : [];
  const appScopes = (requested: string, clientId: string) =>
    grantable(requested, levels, clients.scopes.get(clientId));

  const successorOf = successors(keys.cookies[0]!);

  const provider = new Provider(issuer, {
    ...FIXED,
    adapter(name: string) {
      const rows = state.model(tenant.key, name);
      return name === 'RefreshToken' ? withRotationGrace(rows, successorOf, now) : rows;
    },
    clients: clients.metadata.filter(usable(modes)),
    cookies: {
      keys: keys.cookies,
      // Tenants share a host, so that each has its cookies below its own path.
      long: { httpOnly: true, sameSite: 'lax', signed: true, path: new URL(issuer).pathname },
      short: { httpOnly: true, sameSite: 'lax', signed: true },
    },
    jwks: { keys: keys.jwks as NonNullable<Configuration['jwks']>['keys'] },
    // A grant is one consent with one patient: no other authorization may reuse it, except a silent one.
    async loadExistingGrant(ctx) {
      const grantId = ctx.oidc.result?.consent?.grantId;
      if (grantId) return ctx.oidc.provider.Grant.find(grantId);
      return isSilent(ctx) ? consents.grantOf(ctx) : undefined;
    },
    renderError: providerErrors(baseUrl),
    interactions: {
      policy: policy(keepsUser, isSilent),
      url: (_ctx, interaction) => `${new URL(issuer).pathname}/interaction/${interaction.uid}`,
    },
    extraParams: {
      aud: async ({ oidc }: KoaContextWithOIDC, aud: string | undefined) => {
        // A client of OAuth without SMART has named the tenant by `resource` instead.
        const named = oidc.params?.['resource'];
        if (aud !== undefined || named === resource) requireAudience(aud, base);
      },
      // The study that the app will show. Nothing is looked up before the user has signed in.
      study_hint: null,
      launch: async (ctx: KoaContextWithOIDC, id: string | undefined) => requireLaunch(ctx, id, contexts),
    },
    async findAccount(_ctx, account, token) {
      const { identify } = options;
      if (identify.delegation && token && !(await counts(identify.delegation, token))) return undefined;
      const user = await identify.user(tenant, account);
      if (!user) return undefined;
      const fhirUser = user.fhirUser && { fhirUser: `${resource}/${user.fhirUser}` };
      return { accountId: account, claims: () => ({ sub: account, ...fhirUser, name: user.name }) };
    },
    async extraTokenClaims(_ctx, token) {
      const context = token.kind === 'AccessToken' ? await contexts.of(token.grantId ?? '') : undefined;
      if (!context) return undefined;
      const { patient, encounter, fhirUser } = context;
      const named = token.kind === 'AccessToken' && token.scope?.split(' ').includes('fhirUser');
      return { ...(patient && { patient }), ...(encounter && { encounter }), ...(named && { fhirUser }) };
    },
    // A revoked token ends its grant, and with it silent sign-ins and the EHR's tokens for the grant.
    revokeGrantPolicy: () => true,
    features: {
      ...FEATURES,
      introspection: {
        enabled: true,
        // Apps may introspect their own tokens, backend services all tokens (RFC 7662 §2.1).
        allowedPolicy: (_ctx, client, token) =>
          token.clientId === client.clientId || client.grantTypeAllowed('client_credentials'),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo(ctx, indicator, client) {
          if (!resources.includes(indicator)) throw new errors.InvalidTarget();
          // There is no complete list of clinical scopes, as some are granular: those of this request are allowed.
          const backend = ctx.oidc.params?.['grant_type'] === 'client_credentials';
          const allowed = clients.scopes.get(client.clientId);
          const can = backend ? backendLevels : levels;
          const scopes = grantable(requestedScope(ctx), can, allowed);
          if (scopes.length === 0) {
            const message = `no scope that can be granted was asked for; this client can get: ${grantableScopes(can, allowed)}`;
            throw new errors.InvalidScope(message, '');
          }
          return { scope: scopes.join(' '), audience: resource, accessTokenFormat: 'opaque' };
        },
      },
    },
  });
  provider.proxy = true;
  nameSuccessors(provider, successorOf);
  provider.Client.prototype.redirectUriAllowed = function (uri) {
    return isRegistered(uri, this.redirectUris ?? []);
  };
  provider.use(answerFaults(baseUrl, onError));
  provider.use(protectFormPost);
  provider.use(withContext(contexts, issuer));
  provider.use(spendFailedCodes(provider));
  provider.on('grant.revoked', (_ctx, grantId) => {
    options.identify.delegation?.revoked(grantId).catch(onError);
  });
  provider.on('grant.success', ({ oidc }) => {
    const clients = state.model(tenant.key, 'Client');
    renewRegistration(clients, oidc.client?.clientId ?? '', Math.floor(now() / 1000)).catch(onError);
  });
  provider.on('server_error', (ctx, error) => {
    if (error instanceof Fault) ctx.state['fault'] = error;
    else onError(error);
  });
  const user = (account: string) => options.identify.user(tenant, account);
  return { tenant, provider, issuer, resource, contexts, consents, appScopes, user };
}

/** Returns true when the EHR still allows the grant of a code or refresh token. */
async function counts(delegation: Delegation, token: { kind?: string; grantId?: string }): Promise<boolean> {
  const { kind, grantId = '' } = token;
  if (kind === 'AuthorizationCode') return delegation.used(grantId);
  // A grant that the EHR has ended cannot be refreshed. While the EHR does not answer, none can (IA-9).
  return kind !== 'RefreshToken' || delegation.stands(grantId);
}

/** Returns a filter for clients whose mode is on in this tenant (IA-4). */
function usable(modes: Tenant['authorization']['modes']) {
  return ({ grant_types: grants }: ClientMetadata) =>
    modes.includes(grants?.includes('client_credentials') ? 'backend-services' : 'app-launch');
}

/**
 * Asks for sign-in and consent every time: the next person at this screen may be another one. A silent request shows no page
 * and gets what the user of this session has consented to, or an error. A request with an id_token of this session's user asks
 * for the patient and the consent alone; the provider refuses to keep another user (OpenID Connect Core §3.1.2.1).
 */
function policy(
  keepsUser: (ctx: KoaContextWithOIDC) => boolean,
  isSilent: (ctx: KoaContextWithOIDC) => boolean,
): interactionPolicy.DefaultPolicy {
  const prompts = interactionPolicy.base();
  const { Check } = interactionPolicy;
  const login = new Check(
    'who',
    'the user has to sign in',
    'login_required',
    (ctx) => !ctx.oidc.result?.login && !keepsUser(ctx),
  );
  const consent = new Check(
    'agreed',
    'the user has to agree',
    'consent_required',
    // A grant that has an id is a consent; otherwise it is the provider's draft.
    (ctx) => !ctx.oidc.result?.consent && !(isSilent(ctx) && ctx.oidc.entities.Grant?.jti !== undefined),
  );
  prompts.get('login')!.checks.push(login);
  prompts.get('consent')!.checks.push(consent);
  return prompts;
}

/** Returns the `scope` of the request, or else that of the code or refresh token that it presents. */
function requestedScope(ctx: KoaContextWithOIDC): string {
  const { params, entities } = ctx.oidc;
  const asked = params?.['scope'];
  if (typeof asked === 'string') return asked;
  return entities.AuthorizationCode?.scope ?? entities.RefreshToken?.scope ?? '';
}

/** Requires an `aud` that is this FHIR server (SMART App Launch 2.2 §4.1.1). */
function requireAudience(aud: string | undefined, base: string): void {
  const meant = aud?.replace(/\/+$/, '');
  if (meant !== base && meant !== `${base}/fhir`) {
    throw new errors.InvalidRequest('aud must be the URL of this FHIR server');
  }
}

async function requireLaunch(
  ctx: KoaContextWithOIDC,
  id: string | undefined,
  contexts: LaunchContexts,
): Promise<void> {
  const scopes = String(ctx.oidc.params?.['scope'] ?? '').split(' ');
  if (id === undefined) {
    if (scopes.includes('launch'))
      throw new errors.InvalidRequest('the launch scope needs the launch parameter');
    return;
  }
  if (!(await contexts.find(id))) throw new errors.InvalidRequest('the launch is not known or has expired');
}

/** Adds the launch context to the token answer (SMART App Launch 2.2 §4.1.6). */
function withContext(contexts: LaunchContexts, issuer: string) {
  return async (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    await next();
    if (ctx.path !== PATHS.token || ctx.status !== 200) return;
    const grantId = ctx.oidc.entities.AccessToken?.grantId;
    const context = grantId === undefined ? undefined : await contexts.of(grantId);
    if (!context) return;
    const { patient, encounter, fhirUser, needPatientBanner } = context;
    const scopes = ctx.oidc.entities.AccessToken!.scope?.split(' ') ?? [];
    Object.assign(ctx.body as object, {
      ...(patient && { patient }),
      ...(encounter && { encounter }),
      ...(scopes.includes('fhirUser') && { fhirUser }),
      ...(patient && { need_patient_banner: needPatientBanner }),
      smart_style_url: `${issuer}/smart-style.json`,
    });
  };
}
