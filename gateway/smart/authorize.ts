import { boundedCache } from '../../schema/cache/bounded-cache.ts';
import type { Access, PatientGrant } from '../../schema/access/access.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { tokenNeeded } from '../../schema/fault/refusals.ts';
import { allOf, andThen, orElse, type Awaitable } from '../../schema/process/awaitable.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { askedPatients, type Named } from './patient/asked-patients.ts';
import { ehrRecords, ownAsker } from './patient/ehr-records.ts';
import { namingCaller } from './token/caller.ts';
import { backendTokens } from './token/backend-token.ts';
import { judgedTokens, type JudgedToken, type JudgedTokensDeps } from './token/judged-tokens.ts';
import { mockAccess } from './token/mock.ts';
import { identified, needsIdentity, patientIdentities } from './patient/patient-identities.ts';
import type { StudyOwners } from './patient/study-owners.ts';
import { quirksOf } from './token/quirks.ts';
import type { ExternalConfig, OwnConfig, SmartConfiguration } from './discovery/ehr-configuration.ts';
import { isExternal, isOwn, smartConfigurations } from './discovery/ehr-configuration.ts';

export type Authorizer = ReturnType<typeof authorizer>;

/** The part of our own authorization server that authorization needs. */
export interface OwnServer {
  /** @throws Fault: no Access, no data (IA-9) */
  authorize(tenant: Tenant, token: string | undefined): Awaitable<Access>;
  smartConfiguration(tenant: Tenant): SmartConfiguration;
}

export interface AuthorizerDeps extends JudgedTokensDeps {
  /** For tenants of our own authorization server; without it they answer 501. */
  own?: OwnServer;
  /** Say whose a study is, for tokens without a patient; without them these reach no study by its id alone. */
  studyOwners?: StudyOwners;
  /** Called once for each tenant that is used although its type is insecure (SM-11). */
  onInsecure?: (tenant: string, reason: string) => void;
}

/** An Access is valid this long after its check, so that one that was made just before the end can still be used. */
const ACCESS_SECONDS = 60;

/**
 * Creates the authorizer with its caches; use one per process. An Access is made in stages: a token is described and judged
 * (`judgedTokens`), its patients are identified, and where the EHR decides who is in reach, those of the request are added.
 */
export function authorizer(deps: AuthorizerDeps) {
  const documents = smartConfigurations(deps);
  const tokens = backendTokens(deps);
  const judged = judgedTokens(deps, { documents, tokens });
  const identities = patientIdentities(deps, tokens);
  const records = (tenant: Tenant, config: ExternalConfig) => {
    const document = () => documents(tenant, config);
    return ehrRecords(ownAsker({ outside: deps, tokens }, { tenant, config, document }), config);
  };
  const extended = askedPatients(deps, records, deps.studyOwners);
  const warned = boundedCache<true>({ entries: 1000 });
  const seconds = () => deps.now() / 1000;

  /** Returns the patients with their identities, by which images are found; without those that the EHR does not have. */
  const identify = (
    tenant: Tenant,
    config: ExternalConfig,
    { patients, token }: { patients: readonly PatientGrant[]; token: string },
  ): Awaitable<readonly PatientGrant[]> => {
    if (!needsIdentity(tenant)) return patients;
    const ehr = { tenant, config, document: () => documents(tenant, config) };
    const one = (patient: PatientGrant): Awaitable<readonly PatientGrant[]> =>
      andThen(identities(ehr, patient.id, token), (found) => identified(patient, found));
    return andThen(allOf(patients, one), (found) => found.flat());
  };

  const smartAccess = (tenant: Tenant, config: ExternalConfig, token: string): Awaitable<Access> =>
    andThen(judged(tenant, config, token), (found) => {
      const { patients } = found.reach;
      const accessOfIdentified = () =>
        andThen(identify(tenant, config, { patients, token }), (known) =>
          accessOf(found, known, { tenant, token, now: seconds() }),
        );
      return orElse(accessOfIdentified, (error) => {
        throw namingCaller(error, found);
      });
    });

  return {
    /** Returns the EHR's discovery document, from the same cache, or that of our own authorization server. */
    async smartConfiguration(
      tenant: Tenant,
      config: ExternalConfig | OwnConfig,
    ): Promise<SmartConfiguration> {
      if (!isOwn(config)) return documents(tenant, config);
      if (!deps.own) throw notImplemented(config.type);
      return deps.own.smartConfiguration(tenant);
    },
    /**
     * Establishes who is calling and what they may see.
     * @param token the bearer token of the request; undefined when it has none
     * @throws Fault: no Access, no data (IA-9)
     */
    authorize(tenant: Tenant, token: string | undefined): Awaitable<Access> {
      const config = tenant.authorization;
      if (config.type === 'mock') return mockAccess(tenant, config, seconds() + ACCESS_SECONDS);
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
    /**
     * Extends the Access of a token that reaches the patients whom a request names. Call it when the body was read.
     * @param named is called only when it is needed
     * @throws Fault when no patient is in reach
     */
    reach(tenant: Tenant, access: Access, named: () => Named): Awaitable<Access> {
      const config = tenant.authorization;
      return (isExternal(config) && extended(tenant, config, access, named)) || access;
    },
  };
}

/** Makes the Access of a judged token. @param patients those of its reach whom the EHR has */
function accessOf(
  { reach, client, user, expires, tokenExpires }: JudgedToken,
  patients: readonly PatientGrant[],
  { tenant, token, now }: { tenant: Tenant; token: string; now: number },
): Access {
  if (patients.length === 0 && reach.patients.length > 0) {
    // Not 502: the EHR has answered, and a later request would not help. Not 404 or an empty list: both would mean that
    // the patient has no images. There can be no permission for a patient who does not exist (IA-9).
    throw new Fault('forbidden', 'The EHR does not have the patient that the token names.');
  }
  return {
    tenant: tenant.key,
    record: tenant.recordKey,
    client,
    user,
    patients,
    permissions: reach.permissions,
    expires: Math.min(expires, now + ACCESS_SECONDS),
    tokenExpires,
    clinicalToken: token,
    token,
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
