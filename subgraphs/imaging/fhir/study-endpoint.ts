import type { Endpoint } from 'fhir/r4.js';
import { requireScope } from '../../../schema/access/scopes.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { retrieval, wadoBase, type AddressedStudy, type WadoBaseOptions } from '../study/wado-base.ts';
import { ENDPOINT_ID, wadoEndpoint } from './endpoint.ts';

/** Makes the Endpoint of one study, with a capability in its URL (IA-18). Made anew at every call. */
export async function capabilityEndpoint(
  imaging: AuthorizedStudies,
  study: AddressedStudy,
  options: WadoBaseOptions,
): Promise<Endpoint> {
  return wadoEndpoint({
    address: await wadoBase(imaging, study, options),
    requiresAccessToken: retrieval(imaging.tenant) !== 'bearer-capability',
  });
}

/**
 * Reads `Endpoint/{id}`: the one Endpoint of the tenant or, with capabilities, that of a study.
 * @throws Fault `not_found`, also for a study out of reach
 */
export async function readEndpoint(
  imaging: AuthorizedStudies,
  id: string,
  options: WadoBaseOptions,
): Promise<Endpoint> {
  requireScope(imaging.access, 'Endpoint', 'r');
  if (retrieval(imaging.tenant) === 'token') {
    if (id !== ENDPOINT_ID) throw noSuchResource();
    return wadoEndpoint({ address: `${tenantBase(options.baseUrl, imaging.tenant)}/dicomweb`, id });
  }
  const found = await imaging.find(id, { detail: 'study' });
  if (!found) throw noSuchResource();
  const { patientId } = found.record ?? {};
  const endpoint = await capabilityEndpoint(imaging, { uid: id, ...(patientId && { patientId }) }, options);
  return { ...endpoint, id };
}
