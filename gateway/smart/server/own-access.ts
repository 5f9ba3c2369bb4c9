import { parseScopes, type Permission } from '../../../schema/access/scopes.ts';
import { memoized } from '../../../schema/cache/bounded-cache.ts';
import type { Access, PatientGrant, PatientIdentity } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { tokenNeeded } from '../../../schema/fault/refusals.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { expiringCache } from '../token/expiring-cache.ts';
import { needsIdentity } from '../patient/patient-identities.ts';
import { callerOf, namingCaller } from '../token/caller.ts';
import { reachOf } from '../patient/token-reach.ts';
import { invalid, requireUnbound } from '../token/token-rules.ts';
import type { AuthorizationServer } from './server.ts';

export interface OwnAccessDeps {
  server: Pick<AuthorizationServer, 'verifyOwnToken' | 'ehrOf'>;
  /** Reads the identity of a patient from the tenant's clinical record, whatever the caller may read of it (IA-11). */
  identity: (tenant: Tenant, patientId: string) => Promise<PatientIdentity | undefined>;
  /** Milliseconds since the epoch. */
  now: () => number;
}

type OwnToken = NonNullable<Awaited<ReturnType<AuthorizationServer['verifyOwnToken']>>>;

/** A record here is a file, which changes only when somebody edits it. */
const IDENTITY_SECONDS = 60;
/** An Access is valid this long after its check, so that one that was made just before the end can still be used. */
const ACCESS_SECONDS = 60;

/**
 * Returns a function that makes the Access of what a token of our own authorization server says.
 * @returns a function that throws a Fault when there is no Access (IA-9)
 */
export function accessOfOwnToken({ server, identity, now }: OwnAccessDeps) {
  // Tokens of one app have the same scopes, and share one list.
  const permissionsOf = memoized<readonly Permission[]>(parseScopes, { entries: 1000 });
  const identified = identifiedGrants({ identity, now });
  return async (tenant: Tenant, token: OwnToken, value?: string): Promise<Access> => {
    requireUnbound(token);
    const ehr = await server.ehrOf(tenant);
    const session = token.grantId === undefined ? undefined : await ehr?.session(token.grantId);
    // The EHR has ended the session behind our grant.
    if (token.grantId !== undefined && !session) throw invalid();
    const { permissions, patients } = reachOf(token, permissionsOf(token.scope ?? ''), tenant.authorization);
    const own = token.grantId !== undefined && session ? { grantId: token.grantId, session } : undefined;
    const who = (grant: PatientGrant) => (ehr ? ehr.identified(grant, own) : identified(tenant, grant));
    const known = needsIdentity(tenant) ? (await Promise.all(patients.map(who))).flat() : patients;
    if (known.length === 0 && patients.length > 0) {
      throw new Fault('forbidden', 'The patient that the token names does not exist or may not be read.');
    }
    return {
      tenant: tenant.key,
      record: tenant.recordKey,
      ...callerOf(token),
      patients: known,
      permissions,
      expires: Math.min(token.exp ?? 0, now() / 1000 + ACCESS_SECONDS),
      tokenExpires: token.exp,
      ...(session?.tokens && { clinicalToken: session.tokens.access }),
      token: value,
    };
  };
}

/**
 * Authorizes callers with a token of our own authorization server. The token is looked up at every request, so that a
 * revocation takes effect at once.
 * @returns a function that throws a Fault when there is no Access (IA-9)
 */
export function ownAccess(deps: OwnAccessDeps) {
  const { server } = deps;
  const accessOf = accessOfOwnToken(deps);
  return async (tenant: Tenant, value: string | undefined): Promise<Access> => {
    if (value === undefined) throw tokenNeeded();
    const token = await server.verifyOwnToken(tenant, value);
    if (!token) throw invalid();
    return accessOf(tenant, token, value).catch((error: unknown) => {
      throw namingCaller(error, callerOf(token));
    });
  };
}

/** Returns a function that adds the identity to a grant, by which images are found; none without the patient. */
export function identifiedGrants({ identity, now }: Pick<OwnAccessDeps, 'identity' | 'now'>) {
  const identities = expiringCache<{ found?: PatientIdentity }>(10_000, now);
  return async (tenant: Tenant, grant: PatientGrant): Promise<readonly PatientGrant[]> => {
    const { found } = await identities.get(`${tenant.cacheKey}\0${grant.id}`, async () => {
      const patient = await identity(tenant, grant.id);
      return { value: patient ? { found: patient } : {}, seconds: patient ? IDENTITY_SECONDS : 3 };
    });
    return found ? [{ ...grant, identity: found }] : [];
  };
}
