import type { Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import type { ImagesConfig, Tenant } from '../../../schema/tenant/tenant.ts';
import type { AuthorizedStudies } from './authorized-studies.ts';

/** A study whose URL is wanted. */
export interface AddressedStudy {
  uid: string;
  /** Logical id of its patient, if known. */
  patientId?: string;
}

/** Makes the path segment that opens one study for this caller (IA-25). The composition root supplies it. */
export type SealStudy = (tenant: Tenant, access: Access, study: AddressedStudy) => Promise<string>;

export interface WadoBaseOptions {
  /** Public base of the gateway, path prefix included. */
  baseUrl: string;
  /** For tenants whose images are retrieved by capability. */
  capability?: SealStudy | undefined;
}

/** Returns how a tenant's images are retrieved (IA-25, IA-26); the first image source decides. */
export function retrieval({ images }: Tenant): ImagesConfig['retrieve'] {
  return images[0]?.retrieve ?? 'token';
}

/** Returns the WADO-RS base of this study for this caller; `/studies/{uid}` is appended to it. */
export async function wadoBase(
  { tenant, access }: AuthorizedStudies,
  study: AddressedStudy,
  options: WadoBaseOptions,
): Promise<string> {
  const ofAll = commonWadoBase(tenant, options);
  if (ofAll !== undefined) return ofAll;
  const { baseUrl, capability } = options;
  if (!capability) throw new Fault('internal', 'Capability URLs cannot be made here.');
  return `${tenantBase(baseUrl, tenant)}/wado/${await capability(tenant, access, study)}`;
}

/** Returns the WADO-RS base that all studies of a tenant share; undefined where each study has its own. */
export function commonWadoBase(
  tenant: Tenant,
  { baseUrl }: Pick<WadoBaseOptions, 'baseUrl'>,
): string | undefined {
  return retrieval(tenant) === 'token' ? `${tenantBase(baseUrl, tenant)}/dicomweb` : undefined;
}
