import type { Endpoint } from 'fhir/r4.js';
import type { Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import { requireScope } from '../../../schema/access/scopes.ts';
import type { ImagesConfig, Tenant } from '../../../schema/tenant/tenant.ts';
import { ENDPOINT_ID, wadoEndpoint } from '../fhir/endpoint.ts';
import { noSuchResource } from '../study/not-found.ts';
import type { Imaging } from '../study/studies.ts';

/** A study whose address is wanted. */
export interface AddressedStudy {
  uid: string;
  /** Logical id of its patient, where that is known. */
  patientId?: string;
}

/** The path segment that gives this caller one study (IA-25). The composition root supplies it. */
export type SealStudy = (tenant: Tenant, access: Access, study: AddressedStudy) => Promise<string>;

export interface WadoBaseOptions {
  /** Public base of the gateway, path prefix included. */
  baseUrl: string;
  /** For tenants whose images are retrieved by capability. */
  capability?: SealStudy | undefined;
}

/** How a tenant's images are retrieved (IA-25, IA-26); the first image source decides. */
export function retrieval({ images }: Tenant): ImagesConfig['retrieve'] {
  return images[0]?.retrieve ?? 'token';
}

/** The WADO-RS base to which `/studies/{uid}` is appended for this study and this caller. */
export async function wadoBase(
  { tenant, access }: Imaging,
  study: AddressedStudy,
  { baseUrl, capability }: WadoBaseOptions,
): Promise<string> {
  const base = tenantBase(baseUrl, tenant);
  if (retrieval(tenant) === 'token') return `${base}/dicomweb`;
  if (!capability) throw new Fault('internal', 'Capability addresses cannot be made here.');
  return `${base}/wado/${await capability(tenant, access, study)}`;
}

/** The Endpoint of one study, where it carries a capability (IA-18); made anew at every call. */
export async function capabilityEndpoint(
  imaging: Imaging,
  study: AddressedStudy,
  options: WadoBaseOptions,
): Promise<Endpoint> {
  return wadoEndpoint({
    address: await wadoBase(imaging, study, options),
    requiresAccessToken: retrieval(imaging.tenant) !== 'bearer-capability',
  });
}

/**
 * `Endpoint/{id}`: the tenant's one Endpoint, or one for each study where it carries a capability.
 * @throws Fault `not_found`, also for a study out of reach
 */
export async function readEndpoint(
  imaging: Imaging,
  id: string,
  options: WadoBaseOptions,
): Promise<Endpoint> {
  requireScope(imaging.access, 'Endpoint', 'r');
  if (retrieval(imaging.tenant) === 'token') {
    if (id !== ENDPOINT_ID) throw noSuchResource();
    return wadoEndpoint({ address: `${tenantBase(options.baseUrl, imaging.tenant)}/dicomweb`, id });
  }
  const study = await imaging.study(id, 'study');
  if (!study) throw noSuchResource();
  const { patientId } = study;
  const endpoint = await capabilityEndpoint(imaging, { uid: id, ...(patientId && { patientId }) }, options);
  return { ...endpoint, id };
}
