import { hash } from 'node:crypto';
import { parseScopes, type Permission } from '../../../schema/access/scopes.ts';
import { memoized } from '../../../schema/cache/bounded-cache.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { SharedCache } from '../../../schema/outbound/shared-cache.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { CountLookup } from '../../../schema/process/cache-lookups.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Ehr, ExternalConfig, SmartConfigurations } from '../discovery/ehr-configuration.ts';
import { DECISION_SECONDS, policyService } from '../patient/policy.ts';
import type { BackendTokens } from './backend-token.ts';
import { callerOf, namingCaller } from './caller.ts';
import { expiringCache } from './expiring-cache.ts';
import type { ActiveToken } from './introspect.ts';
import { jwtVerifier } from './jwt.ts';
import { quirksOf, withImagingScopes } from './quirks.ts';
import {
  REFUSED_SECONDS,
  sharedIntrospection,
  UNKNOWN_LIFETIME_SECONDS,
  type IntrospectionAnswer,
} from './shared-introspection.ts';
import {
  endOf,
  invalid,
  refuseIdToken,
  refuseOtherKinds,
  requireMeantForUs,
  requireUnbound,
} from './token-rules.ts';
import { countsAsBackend, reachOf, withPatient, type Reach } from '../patient/token-reach.ts';
import type { UpstreamDeps } from './upstream.ts';

export interface JudgedTokensDeps extends UpstreamDeps {
  /** Our own public base, for `aud` (IA-5). */
  baseUrl: string;
  /** Shares introspection answers with other gateways. */
  shared?: SharedCache;
  /** Counts tokens whose check is remembered. */
  countLookup?: CountLookup | undefined;
}

/** The rights of a token, without the token itself. */
export interface JudgedToken {
  reach: Reach;
  client?: string;
  user?: string;
  expires: number;
  tokenExpires?: number;
}

type Known = JudgedToken | { fault: Fault };
/** @throws Fault `invalid_token`, and the faults of the server that was asked: no Access, no data (IA-9) */
type JudgeToken = (tenant: Tenant, config: ExternalConfig, token: string) => Awaitable<JudgedToken>;

/** SM-9. */
const DOWN_SECONDS = 1;
const MOST_TOKENS = 10_000;

/**
 * Creates the function that judges tokens of an EHR. The authorization server, or the token's signature, describes a token;
 * configuration and policy of the tenant judge it. The judgement is remembered by token, for as long as it holds.
 */
export function judgedTokens(
  deps: JudgedTokensDeps,
  { documents, tokens }: { documents: SmartConfigurations; tokens: BackendTokens },
): JudgeToken {
  const describe = tokenDescriptions(deps, tokens);
  const judge = tokenJudge(deps);
  const known = expiringCache<Known>(MOST_TOKENS, deps.now, (isHit) => deps.countLookup?.('tokens', isHit));

  const remember = async (tenant: Tenant, config: ExternalConfig, token: string) => {
    let most = REFUSED_SECONDS;
    let caller = {};
    try {
      // A tenant with issuer and keys in its configuration needs no discovery.
      const configured = config.type === 'smart-on-fhir-jwt' && config.issuer && config.jwksUri;
      const document = configured ? {} : await documents(tenant, config);
      const said = await describe(tenant, { config, document }, token);
      most = said.seconds;
      if (!said.active) throw invalid();
      caller = callerOf(said.active);
      const { keep = Infinity, ...value } = await judge(tenant, { config, document }, said.active);
      return { value, seconds: Math.min(value.expires - deps.now() / 1000, most, keep) };
    } catch (error) {
      const fault = namingCaller(error, caller);
      if (!(error instanceof Fault)) throw fault;
      const least = fault.status < 500 ? REFUSED_SECONDS : DOWN_SECONDS;
      return { value: { fault }, seconds: Math.min(most, least) };
    }
  };

  return (tenant, config, token) => {
    const key = hash('sha256', `${tenant.cacheKey}\0${token}`, 'base64url');
    return andThen(
      known.get(key, () => remember(tenant, config, token)),
      (found) => {
        if ('fault' in found) throw found.fault;
        return found;
      },
    );
  };
}

/** Creates the function that describes a token: by the authorization server (RFC 7662), or by its signature (RFC 9068). */
function tokenDescriptions(deps: JudgedTokensDeps, tokens: BackendTokens) {
  const verified = jwtVerifier(deps);
  const introspected = sharedIntrospection(deps, tokens);
  return async (tenant: Tenant, { config, document }: Ehr, token: string): Promise<IntrospectionAnswer> => {
    refuseOtherKinds(token, config.tokenUrl ?? document['token_endpoint']);
    if (config.type === 'smart-on-fhir-jwt') {
      const active = await verified(tenant, { config, document }, token);
      return { active, seconds: active ? config.introspectionTtl : REFUSED_SECONDS };
    }
    const said = await introspected(tenant, { config, document }, token);
    if (said.active) refuseIdToken(token, said.active.client_id);
    return said;
  };
}

/** Creates the function that judges a described token by the rules of its tenant. */
function tokenJudge(deps: JudgedTokensDeps) {
  const decisions = policyService(deps);
  // Tokens of one app have the same scopes, and share one list.
  const permissionsOf = memoized<readonly Permission[]>(parseScopes, { entries: 1000 });
  const decide = async (tenant: Tenant, { policy }: ExternalConfig, client: string | undefined) => {
    if (Array.isArray(policy)) return undefined;
    return client === undefined ? [] : decisions(tenant, policy.url, client);
  };
  return async (
    tenant: Tenant,
    { config, document }: Ehr,
    described: ActiveToken,
  ): Promise<JudgedToken & { keep?: number }> => {
    const seconds = deps.now() / 1000;
    requireUnbound(described);
    requireMeantForUs(described, tenant, { config, document }, { baseUrl: deps.baseUrl, now: seconds });
    const quirks = quirksOf(config);
    const active = withPatient(described, config);
    const permissions = withImagingScopes(permissionsOf(active.scope ?? ''), quirks);
    const decided = countsAsBackend(active, permissions, config)
      ? await decide(tenant, config, active.client_id)
      : undefined;
    const reach = reachOf(active, permissions, config, {
      ...(decided && { decided }),
      asked: quirks.patientFrom === 'request' ? 'any' : 'user',
    });
    // The same for all requests with this token: what is decided by them may be kept with them.
    Object.freeze(reach.permissions);
    return {
      reach,
      ...callerOf(active),
      expires: active.exp === undefined ? seconds + UNKNOWN_LIFETIME_SECONDS : endOf(active.exp),
      tokenExpires: active.exp,
      // A decision of the policy service is not kept as long as the token.
      ...(decided && { keep: DECISION_SECONDS }),
    };
  };
}
