import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Access, PatientGrant } from '../../schema/access/access.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { tokenNeeded } from '../../schema/fault/refusals.ts';
import type { Permission } from '../../schema/access/scopes.ts';
import { parseScopes } from '../../schema/access/scopes.ts';
import { allOf, andThen, orElse, type Awaitable } from '../../schema/process/awaitable.ts';
import type { CountLookup } from '../../schema/process/cache-lookups.ts';
import type { SharedCache } from '../../schema/outbound/shared-cache.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { askedPatients, type Named } from './patient/asked-patients.ts';
import { ehrRecords, ownAsker } from './patient/ehr-records.ts';
import { callerOf, namingCaller } from './token/caller.ts';
import { backendTokens } from './token/backend-token.ts';
import { expiringCache } from './token/expiring-cache.ts';
import type { ActiveToken } from './token/introspect.ts';
import { jwtVerifier } from './token/jwt.ts';
import { mockAccess } from './token/mock.ts';
import { identified, needsIdentity, patientIdentities } from './patient/patient.ts';
import type { StudyOwners } from './patient/study-owners.ts';
import type { PolicyRow } from './patient/policy.ts';
import { DECISION_SECONDS, policyService } from './patient/policy.ts';
import { quirksOf, withImagingScopes } from './token/quirks.ts';
import type { ExternalConfig, OwnConfig, SmartConfiguration } from './discovery/smart-configuration.ts';
import { isExternal, isOwn, smartConfigurations } from './discovery/smart-configuration.ts';
import type { Reach } from './token/token-rules.ts';
import {
  countsAsBackend,
  endOf,
  invalid,
  reachOf,
  refuseIdToken,
  refuseOtherKinds,
  requireMeantForUs,
  requireUnbound,
  withPatient,
} from './token/token-rules.ts';
import {
  REFUSED_SECONDS,
  sharedIntrospection,
  UNKNOWN_LIFETIME_SECONDS,
  type IntrospectionAnswer,
} from './token/shared-introspection.ts';
import type { UpstreamDeps } from './token/upstream.ts';

export interface Authorizer {
  /**
   * Establishes who is calling and what they may see.
   * @param token the bearer token of the request; undefined when it has none
   * @throws Fault: no Access, no data (IA-9)
   */
  authorize(tenant: Tenant, token: string | undefined): Awaitable<Access>;
  /**
   * Extends the Access of a token that reaches the patients whom a request names. Call it when the body was read.
   * @param named is called only when it is needed
   * @throws Fault when no patient is in reach
   */
  reach(tenant: Tenant, access: Access, named: () => Named): Awaitable<Access>;
  /** Returns the EHR's discovery document, from the same cache, or that of our own authorization server. */
  smartConfiguration(tenant: Tenant, config: ExternalConfig | OwnConfig): Promise<SmartConfiguration>;
}

/** The part of our own authorization server that authorization needs. */
export interface OwnServer {
  /** @throws Fault: no Access, no data (IA-9) */
  authorize(tenant: Tenant, token: string | undefined): Awaitable<Access>;
  smartConfiguration(tenant: Tenant): SmartConfiguration;
}

export interface AuthorizerDeps extends UpstreamDeps {
  /** For tenants of our own authorization server; without it they answer 501. */
  own?: OwnServer;
  /** Say whose a study is, for tokens without a patient; without them these reach no study by its id alone. */
  studyOwners?: StudyOwners;
  /** Our own public base, for `aud` (IA-5). */
  baseUrl: string;
  /** Called once for each tenant that is used although its type is insecure (SM-11). */
  onInsecure?: (tenant: string, reason: string) => void;
  /** Shares introspection answers with other gateways. */
  shared?: SharedCache;
  /** Counts tokens whose check is remembered. */
  countLookup?: CountLookup | undefined;
}

/** The result of a token check that is remembered, without the token itself. */
interface Checked {
  reach: Reach;
  client?: string;
  user?: string;
  expires: number;
  tokenExpires?: number;
  /** Seconds, when the decision may not be kept as long as the token. */
  keep?: number;
}
type Known = Checked | { fault: Fault };

/** SM-9. */
const DOWN_SECONDS = 1;
const MOST_TOKENS = 10_000;
/** An Access is valid this long after its check, so that one that was made just before the end can still be used. */
const ACCESS_SECONDS = 60;

/** Creates the authorizer with its caches; use one per process. */
export function authorizer(deps: AuthorizerDeps): Authorizer {
  const documents = smartConfigurations(deps);
  const tokens = backendTokens(deps);
  const identities = patientIdentities(deps, tokens);
  const verifyJwt = jwtVerifier(deps);
  const introspected = sharedIntrospection(deps, tokens);
  const decisions = policyService(deps);
  const records = (tenant: Tenant, config: ExternalConfig) => {
    const document = () => documents(tenant, config);
    return ehrRecords(ownAsker({ outside: deps, tokens }, { tenant, config, document }), config);
  };
  const asked = askedPatients(deps, records, deps.studyOwners);
  const warned = new LRUCache<string, true>({ max: 1000 });
  const known = expiringCache<Known>(MOST_TOKENS, deps.now, (isHit) => deps.countLookup?.('tokens', isHit));
  // Tokens of one app have the same scopes and share one list.
  const scopes = new LRUCache<string, readonly Permission[]>({ max: 1000 });
  const seconds = () => deps.now() / 1000;

  const permissionsOf = (scope: string): readonly Permission[] => {
    const kept = scopes.get(scope) ?? parseScopes(scope);
    scopes.set(scope, kept);
    return kept;
  };

  const describe = async (
    tenant: Tenant,
    config: ExternalConfig,
    document: SmartConfiguration,
    token: string,
  ): Promise<IntrospectionAnswer> => {
    refuseOtherKinds(token, config.tokenUrl ?? document['token_endpoint']);
    if (config.type !== 'smart-on-fhir-jwt') {
      const said = await introspected(tenant, config, document, token);
      if (said.active) refuseIdToken(token, said.active.client_id);
      return said;
    }
    const active = await verifyJwt(tenant, config, document, token);
    return { active, seconds: active ? config.introspectionTtl : REFUSED_SECONDS };
  };

  const decide = async (
    tenant: Tenant,
    config: ExternalConfig,
    client: string | undefined,
  ): Promise<readonly PolicyRow[] | undefined> => {
    if (Array.isArray(config.policy)) return undefined;
    return client === undefined ? [] : decisions(tenant, config.policy.url, client);
  };

  const check = async (
    tenant: Tenant,
    config: ExternalConfig,
    document: SmartConfiguration,
    described: ActiveToken,
  ): Promise<Checked> => {
    requireUnbound(described);
    requireMeantForUs(described, tenant, config, document, deps.baseUrl, seconds());
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
      expires: active.exp === undefined ? seconds() + UNKNOWN_LIFETIME_SECONDS : endOf(active.exp),
      ...(active.exp !== undefined && { tokenExpires: active.exp }),
      ...(decided && { keep: DECISION_SECONDS }),
    };
  };

  const remember = async (tenant: Tenant, config: ExternalConfig, token: string) => {
    let most = REFUSED_SECONDS;
    let caller = {};
    try {
      // A tenant with issuer and keys in its configuration needs no discovery.
      const configured = config.type === 'smart-on-fhir-jwt' && config.issuer && config.jwksUri;
      const document = configured ? {} : await documents(tenant, config);
      const said = await describe(tenant, config, document, token);
      most = said.seconds;
      if (!said.active) throw invalid();
      caller = callerOf(said.active);
      const value = await check(tenant, config, document, said.active);
      return { value, seconds: Math.min(value.expires - seconds(), most, value.keep ?? Infinity) };
    } catch (error) {
      const fault = namingCaller(error, caller);
      if (!(error instanceof Fault)) throw fault;
      const least = fault.status < 500 ? REFUSED_SECONDS : DOWN_SECONDS;
      return { value: { fault }, seconds: Math.min(most, least) };
    }
  };

  const smartAccess = (tenant: Tenant, config: ExternalConfig, token: string): Awaitable<Access> => {
    const key = hash('sha256', `${tenant.cacheKey}\0${token}`, 'base64url');
    return andThen(
      known.get(key, () => remember(tenant, config, token)),
      (found) => {
        if ('fault' in found) throw found.fault;
        const access = (patients: readonly PatientGrant[]) => accessOf({ tenant, token }, found, patients);
        if (!needsIdentity(tenant)) return access(found.reach.patients);
        const document = () => documents(tenant, config);
        const identify = (patient: PatientGrant): Awaitable<readonly PatientGrant[]> =>
          andThen(identities(tenant, config, document, patient.id, token), (one) => identified(patient, one));
        const accessOfIdentified = () =>
          andThen(allOf(found.reach.patients, identify), (patients) => access(patients.flat()));
        return orElse(accessOfIdentified, (error) => {
          throw namingCaller(error, found);
        });
      },
    );
  };

  const accessOf = (
    { tenant, token }: { tenant: Tenant; token: string },
    { reach, client, user, expires, tokenExpires }: Checked,
    patients: readonly PatientGrant[],
  ): Access => {
    if (patients.length === 0 && reach.patients.length > 0) {
      // Not 502: the EHR has answered, and a later request would not help. Not 404 or an empty list: both would mean that
      // the patient has no images. There can be no permission for a patient who does not exist (IA-9).
      throw new Fault('forbidden', 'The EHR does not have the patient that the token names.');
    }
    return {
      tenant: tenant.key,
      ...(client !== undefined && { client }),
      ...(user !== undefined && { user }),
      patients,
      permissions: reach.permissions,
      expires: Math.min(expires, seconds() + ACCESS_SECONDS),
      ...(tokenExpires !== undefined && { tokenExpires }),
      clinicalToken: token,
    };
  };

  return {
    async smartConfiguration(tenant, config) {
      if (!isOwn(config)) return documents(tenant, config);
      if (!deps.own) throw notImplemented(config.type);
      return deps.own.smartConfiguration(tenant);
    },
    authorize(tenant, token) {
      const config = tenant.authorization;
      if (config.type === 'mock') return mockAccess(tenant.key, config, seconds() + ACCESS_SECONDS);
      if (isOwn(config) && deps.own) return deps.own.authorize(tenant, token);
      if (!isExternal(config)) throw notImplemented(config.type);
      refuseInsecure(config);
      const { insecure } = quirksOf(config);
      if (insecure && !warned.has(tenant.key)) {
        warned.set(tenant.key, true);
        deps.onInsecure?.(tenant.key, insecure);
      }
      if (token === undefined) throw tokenNeeded();
      return smartAccess(tenant, config, token);
    },
    reach(tenant, access, named) {
      const config = tenant.authorization;
      return isExternal(config) ? asked(tenant, config, access, named) : access;
    },
  };
}

/**
 * Refuses authorization that SM-11 calls insecure, unless the tenant allows it.
 * @throws Fault `forbidden`
 */
function refuseInsecure(config: ExternalConfig): void {
  if (!quirksOf(config).insecure || config.allowInsecureQuirks) return;
  throw new Fault(
    'forbidden',
    'The authorization of this tenant is not secure. It is off unless the configuration has `allowInsecureQuirks`.',
  );
}

/** Returns the fault of a tenant whose type of authorization is not supported: the tenant loads, and answers 501. */
export function notImplemented(type: string): Fault {
  return new Fault('not_implemented', `Authorization of type ${type} is not supported yet.`);
}
