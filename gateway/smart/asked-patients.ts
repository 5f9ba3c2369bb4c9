import { createHash } from 'node:crypto';
import type { Access, PatientGrant, PatientIdentity } from '../../schema/access.ts';
import { grantFor } from '../../schema/access.ts';
import { Fault } from '../../schema/fault.ts';
import type { Tenant } from '../../schema/tenant.ts';
import { expiringCache } from './expiring-cache.ts';
import { identityOf } from './patient.ts';
import { quirksOf } from './quirks.ts';
import type { ExternalConfig } from './smart-configuration.ts';
import type { Outside } from './upstream.ts';
import { call } from './upstream.ts';

const READABLE_SECONDS = 60;
const UNREADABLE_SECONDS = 3;

export type AskedPatients = (
  tenant: Tenant,
  config: ExternalConfig,
  access: Access,
  /** Whom the request names; worked out only where that matters. */
  named: () => readonly string[],
) => Promise<Access>;

/**
 * Lets a `user/` token reach the patients that a request names, each only when the EHR lets the caller read
 * `Patient/{id}` with that very token. A patient of the token's own context stays in reach with all its scopes; for
 * anyone else the `user/` scopes alone count (IA-9). The same for a server that names no patient of its tokens (SM-11).
 * The result gives the Access for this request, unchanged for all other tokens.
 * @throws Fault of the result: `forbidden` where nobody is in reach, `unavailable` where the EHR cannot say
 */
export function askedPatients(outside: Outside): AskedPatients {
  const readable = expiringCache<{ identity?: PatientIdentity }>(10_000, outside.now);

  const read = async (tenant: Tenant, base: string, id: string, token: string): Promise<PatientGrant[]> => {
    const key = createHash('sha256').update(`${tenant.key}\0${id}\0${token}`).digest('base64url');
    const { identity } = await readable.get(key, async () => {
      const headers = { authorization: `Bearer ${token}` };
      const { status, json } = await call(outside, tenant, `${base}/Patient/${id}`, { headers });
      const identity = status === 200 ? identityOf(json, id) : undefined;
      return identity
        ? { value: { identity }, seconds: READABLE_SECONDS }
        : { value: {}, seconds: UNREADABLE_SECONDS };
    });
    return identity ? [{ id, identity }] : [];
  };

  return async (tenant, config, access, named) => {
    const { permissions, patients, clinicalToken: token } = access;
    const open =
      quirksOf(config).patientFrom === 'request'
        ? permissions.filter(({ level }) => level !== 'system')
        : permissions.filter(({ level }) => level === 'user');
    if (open.length === 0 || patients === 'all' || token === undefined) return access;
    const asked = named();
    const others = asked.filter((id) => !grantFor(access, id));
    const found = others.map((id) =>
      read(tenant, config.fhirBaseUrl, id, token).catch((error: unknown) => {
        // The token's own patient stays in reach while the EHR is down.
        if (patients.length > 0 && error instanceof Fault) return [];
        throw error;
      }),
    );
    const more = (await Promise.all(found)).flat();
    if (more.length > 0) return { ...access, permissions: open, patients: [...patients, ...more] };
    if (patients.length > 0) return access;
    throw new Fault(
      'forbidden',
      asked.length > 0
        ? 'The EHR does not let this token read the patient that was asked for.'
        : 'This token is for no patient in particular: name one, as in `patient=`.',
    );
  };
}
