import { createHash } from 'node:crypto';
import type { Access, PatientGrant, PatientIdentity } from '../../schema/access.ts';
import { grantFor } from '../../schema/access.ts';
import { Fault } from '../../schema/fault.ts';
import { FHIR_ID } from '../../schema/fhir.ts';
import type { Tenant } from '../../schema/tenant.ts';
import { expiringCache } from './expiring-cache.ts';
import { identityOf } from './patient.ts';
import { quirksOf } from './quirks.ts';
import type { ExternalConfig } from './smart-configuration.ts';
import type { Outside } from './upstream.ts';
import { call } from './upstream.ts';

const READABLE_SECONDS = 60;
const UNREADABLE_SECONDS = 3;
const MOST_OWNERS = 5;

export type AskedPatients = (
  tenant: Tenant,
  config: ExternalConfig,
  access: Access,
  /** Whom the request names, and which studies; worked out only where that matters. */
  named: () => { patients: readonly string[]; studies: readonly string[] },
) => Promise<Access>;

/** The PatientID that a study states; undefined where there is no such study. Nobody is told of it. */
export type StudyOwner = (tenant: Tenant, studyUid: string) => Promise<string | undefined>;

/**
 * Lets a `user/` token reach the patients that a request names, each only when the EHR lets the caller read
 * `Patient/{id}` with that very token. A patient of the token's own context stays in reach with all its scopes; for
 * anyone else the `user/` scopes alone count (IA-9). The same for a server that names no patient of its tokens (SM-11).
 * For a study that is named by its UID alone the EHR is asked, with that token, for the patient whose identifier the
 * study states; whether it is that patient's is decided where the images are, as for any caller.
 * The result gives the Access for this request, unchanged for all other tokens; without a patient where only studies are
 * named, each of which is then as good as not there (IA-7).
 * @throws Fault of the result: `forbidden` where nobody is in reach, `unavailable` where the EHR cannot say
 */
export function askedPatients(outside: Outside, studyOwner?: StudyOwner): AskedPatients {
  const owners = expiringCache<{ ids: string[] }>(10_000, outside.now);
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

  /** Logical ids of those whom the EHR shows this token under the identifier that a study states. */
  const ownersOf = async (tenant: Tenant, base: string, studyUid: string, token: string) => {
    const mrn = await studyOwner?.(tenant, studyUid);
    if (!mrn) return [];
    const key = createHash('sha256').update(`${tenant.key}\0${mrn}\0${token}`).digest('base64url');
    const { ids } = await owners.get(key, async () => {
      // R4 §3.1.1.5: in a token these are written with a backslash.
      const identifier = encodeURIComponent(mrn.replace(/[\\,|$]/g, '\\$&'));
      const headers = { authorization: `Bearer ${token}` };
      const url = `${base}/Patient?identifier=${identifier}`;
      const { status, json } = await call(outside, tenant, url, { headers });
      const ids = status === 200 ? patientsIn(json) : [];
      return { value: { ids }, seconds: ids.length > 0 ? READABLE_SECONDS : UNREADABLE_SECONDS };
    });
    return ids;
  };

  return async (tenant, config, access, named) => {
    const { permissions, patients, clinicalToken: token } = access;
    const open =
      quirksOf(config).patientFrom === 'request'
        ? permissions.filter(({ level }) => level !== 'system')
        : permissions.filter(({ level }) => level === 'user');
    if (open.length === 0 || patients === 'all' || token === undefined) return access;
    const asked = named();
    const base = config.fhirBaseUrl;
    // The token's own patient stays in reach while the EHR is down.
    const unlessDown = (error: unknown) => {
      if (patients.length > 0 && error instanceof Fault) return [];
      throw error;
    };
    const ofStudies = await Promise.all(
      asked.studies.map((uid) => ownersOf(tenant, base, uid, token).catch(unlessDown)),
    );
    const others = [...new Set([...asked.patients, ...ofStudies.flat()])].filter(
      (id) => !grantFor(access, id),
    );
    const found = others.map((id) => read(tenant, base, id, token).catch(unlessDown));
    const more = (await Promise.all(found)).flat();
    if (more.length > 0) return { ...access, permissions: open, patients: [...patients, ...more] };
    if (patients.length > 0) return access;
    if (asked.studies.length > 0 && asked.patients.length === 0) return { ...access, permissions: open };
    throw new Fault(
      'forbidden',
      asked.patients.length > 0
        ? 'The EHR does not let this token read the patient that was asked for.'
        : 'This token is for no patient in particular: name one, as in `patient=`.',
    );
  };
}

/** Logical ids of the Patients of a searchset; two people who share a number may both be in it. */
function patientsIn(bundle: Record<string, unknown>): string[] {
  const entries = Array.isArray(bundle['entry']) ? (bundle['entry'] as { resource?: unknown }[]) : [];
  return entries
    .map(({ resource }) => resource as { resourceType?: unknown; id?: unknown } | undefined)
    .filter((resource) => resource?.resourceType === 'Patient')
    .map((resource) => resource!.id)
    .filter((id): id is string => typeof id === 'string' && FHIR_ID.test(id))
    .slice(0, MOST_OWNERS);
}
