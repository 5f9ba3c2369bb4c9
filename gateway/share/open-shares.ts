import type { Resource } from 'fhir/r4.js';
import type { Access, PatientGrant } from '../../schema/access/access.ts';
import { Fault, type FaultCode } from '../../schema/fault/fault.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import type { Authorizer } from '../smart/authorize.ts';
import type { OpenStudies } from '../smart/capability/wado-links.ts';
import { needsIdentity } from '../smart/patient/patient-identities.ts';
import { sealer } from '../state/sealed.ts';
import { Shares, type SharesDeps } from './shares.ts';

export interface OpenSharesOptions extends Pick<
  SharesDeps,
  'openState' | 'secrets' | 'now' | 'grantOf' | 'passcodes'
> {
  /** Opens the record for reads of the gateway's own. */
  openRecord(tenant: Tenant, access: Access): { read(type: string, id: string): Promise<Resource> };
  openStudies: OpenStudies;
}

/** Creates the links of all tenants, over record and images. */
export function openShares({
  openState,
  secrets,
  now,
  grantOf,
  passcodes,
  ...from
}: OpenSharesOptions): Shares {
  return new Shares({
    openState,
    secrets,
    now,
    grantOf,
    ...(passcodes && { passcodes }),
    sealer: sealer(secrets),
    isShown: (tenant, access, resource) =>
      found(async () => {
        const [type = '', id = ''] = resource.split('/');
        return !isWithdrawn(await from.openRecord(tenant, access).read(type, id));
      }),
    isStudyShown: (tenant, access, uid) =>
      found(
        async () => (await from.openStudies(tenant, access).find(uid, { detail: 'study' })) !== undefined,
      ),
  });
}

/** Refusals by which something is hidden. Of any other failure it is not known, and the request fails. */
const HIDDEN: ReadonlySet<FaultCode> = new Set([
  ...(['not_found', 'gone', 'forbidden', 'insufficient_scope', 'unauthenticated'] as const),
]);

async function found(read: () => Promise<boolean>): Promise<boolean> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Fault && HIDDEN.has(error.code)) return false;
    throw error;
  }
}

/** Tells if a resource says that it is not to be used any more (R4 §2.1.0.7, "entered in error"). */
function isWithdrawn(resource: Resource): boolean {
  const { status, verificationStatus } = resource as {
    status?: string;
    verificationStatus?: { coding?: readonly { code?: string }[] };
  };
  const codes = [status, ...(verificationStatus?.coding ?? []).map(({ code }) => code)];
  return codes.some((code) => code === 'entered-in-error' || code === 'cancelled');
}

/** Returns a function that finds a patient without a token, for tenants that can share. */
export function sharedPatients({
  authorizer,
  identified,
}: {
  authorizer: Pick<Authorizer, 'authorize'>;
  identified(tenant: Tenant, grant: PatientGrant): Promise<readonly PatientGrant[]>;
}): SharesDeps['grantOf'] {
  return async (tenant, id) => {
    if (tenant.authorization.type !== 'mock')
      return needsIdentity(tenant) ? (await identified(tenant, { id }))[0] : { id };
    const { patients } = await authorizer.authorize(tenant, undefined);
    return patients === 'all' ? undefined : patients.find((patient) => patient.id === id);
  };
}
