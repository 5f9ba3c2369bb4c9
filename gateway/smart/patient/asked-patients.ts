import { createHash } from 'node:crypto';
import type { Access, PatientGrant, PatientIdentity } from '../../../schema/access/access.ts';
import { grantFor } from '../../../schema/access/access.ts';
import { EvenPace } from '../../../schema/process/even-pace.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { expiringCache } from '../token/expiring-cache.ts';
import { identityOf } from './patient.ts';
import { quirksOf } from '../token/quirks.ts';
import type { ExternalConfig } from '../discovery/smart-configuration.ts';
import type { Outside } from '../token/upstream.ts';
import { call } from '../token/upstream.ts';

const READABLE_SECONDS = 60;
const UNREADABLE_SECONDS = 3;
/** For which the EHR's answer about a study is remembered, whatever it is. */
const OWNER_SECONDS = 10;
const MOST_OWNERS = 5;

/** Whom a request names, and which studies. */
export interface Named {
  patients: readonly string[];
  studies: readonly string[];
  /** False for a request that reads nothing, whatever it names: it is answered with what is wrong with it. */
  runs: boolean;
}

export type AskedPatients = (
  tenant: Tenant,
  config: ExternalConfig,
  access: Access,
  /** Worked out only where it matters. */
  named: () => Named,
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
  const owners = expiringCache<{ patients: PatientGrant[] }>(10_000, outside.now);
  const pace = new EvenPace();
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

  /**
   * Those whom the EHR shows this token under the identifier that a study states. The EHR is asked of a study that there
   * is not as well, by an identifier that is nobody's, and every answer is remembered equally long: neither what is asked
   * nor the time that it takes tells whether there is a study (IA-7).
   */
  const ownersOf = async (tenant: Tenant, base: string, studyUid: string, token: string) => {
    if (!studyOwner) return [];
    const key = createHash('sha256').update(`${tenant.key}\0${studyUid}\0${token}`).digest('base64url');
    const asked = async () => {
      const mrn = await studyOwner(tenant, studyUid);
      // R4 §3.1.1.5: in a token these are written with a backslash.
      const identifier = encodeURIComponent((mrn ?? studyUid).replace(/[\\,|$]/g, '\\$&'));
      const headers = { authorization: `Bearer ${token}` };
      const url = `${base}/Patient?identifier=${identifier}`;
      const { status, json } = await call(outside, tenant, url, { headers });
      return { value: { patients: mrn && status === 200 ? patientsIn(json) : [] }, seconds: OWNER_SECONDS };
    };
    const nobody = ({ value }: Awaited<ReturnType<typeof asked>>) => value.patients.length === 0;
    const { patients } = await owners.get(key, () => pace.of(asked, nobody));
    return patients;
  };

  return async (tenant, config, access, named) => {
    const { permissions, patients, clinicalToken: token } = access;
    const open =
      quirksOf(config).patientFrom === 'request'
        ? permissions.filter(({ level }) => level !== 'system')
        : permissions.filter(({ level }) => level === 'user');
    if (open.length === 0 || patients === 'all' || token === undefined) return access;
    const asked = named();
    if (!asked.runs) return access;
    const base = config.fhirBaseUrl;
    // The token's own patient stays in reach while the EHR is down.
    const unlessDown = (error: unknown) => {
      if (patients.length > 0 && error instanceof Fault) return [];
      throw error;
    };
    const ofStudies = await Promise.all(
      asked.studies.map((uid) => ownersOf(tenant, base, uid, token).catch(unlessDown)),
    );
    const others = asked.patients.filter((id) => !grantFor(access, id));
    const found = await Promise.all(others.map((id) => read(tenant, base, id, token).catch(unlessDown)));
    const once = new Map([...found.flat(), ...ofStudies.flat()].map((patient) => [patient.id, patient]));
    const more = [...once.values()].filter(({ id }) => !grantFor(access, id));
    if (more.length > 0) return { ...access, permissions: open, patients: [...patients, ...more] };
    if (patients.length > 0) return access;
    // In a GraphQL document a UID may stand where an id of a patient does: who reads it as a UID learns no more (IA-7).
    const patientsAlone = asked.patients.filter((id) => !asked.studies.includes(id));
    if (asked.studies.length > 0 && patientsAlone.length === 0) return { ...access, permissions: open };
    throw new Fault(
      'forbidden',
      asked.patients.length > 0
        ? 'The EHR does not let this token read the patient that was asked for.'
        : 'This token is for no patient in particular: name one, as in `patient=`.',
    );
  };
}

/** The Patients of a searchset; two people who share a number may both be in it. */
function patientsIn(bundle: Record<string, unknown>): PatientGrant[] {
  const entries = Array.isArray(bundle['entry']) ? (bundle['entry'] as { resource?: unknown }[]) : [];
  return entries
    .flatMap(({ resource }) => {
      const { id, ...rest } = (resource ?? {}) as Record<string, unknown>;
      const identity =
        typeof id === 'string' && FHIR_ID.test(id) ? identityOf({ id, ...rest }, id) : undefined;
      return identity ? [{ id: identity.id, identity }] : [];
    })
    .slice(0, MOST_OWNERS);
}
