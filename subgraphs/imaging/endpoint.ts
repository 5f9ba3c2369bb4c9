import type { Endpoint, Reference } from 'fhir/r4.js';
import { DICOM } from '../../schema/dicom.ts';
import type { Tenant } from '../../schema/tenant.ts';

/** Logical id of the one Endpoint of a tenant that stands by itself, and of the contained one. */
export const ENDPOINT_ID = 'dicomweb';
const CONTAINED_ID = 'e';

/** Both published URLs of the extension (IA-17). */
const REQUIRES_ACCESS_TOKEN = [
  'http://hl7.org/fhir/smart-app-launch/StructureDefinition/requires-access-token',
  'http://fhir.org/argonaut/smart-imaging/StructureDefinition/requires-access-token',
];

/**
 * Where a tenant's images are (IA-17).
 * @param base public base of the tenant; `/dicomweb` below it is the WADO-RS base to which `/studies/{uid}` is appended
 */
export function wadoEndpoint(base: string, id: string = ENDPOINT_ID): Endpoint {
  return {
    resourceType: 'Endpoint',
    id,
    extension: REQUIRES_ACCESS_TOKEN.map((url) => ({ url, valueBoolean: true })),
    status: 'active',
    connectionType: {
      system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type',
      code: 'dicom-wado-rs',
      display: 'DICOM WADO-RS',
    },
    name: 'DICOMweb',
    payloadType: [
      {
        coding: [
          {
            system: 'http://terminology.hl7.org/CodeSystem/endpoint-payload-type',
            code: 'any',
            display: 'Any',
          },
        ],
        text: 'DICOM',
      },
    ],
    payloadMimeType: [DICOM],
    address: `${base}/dicomweb`,
  };
}

export type EndpointStyle = 'contained' | 'included';

/** How a tenant shows its Endpoint (IA-18); the first image source decides. */
export function endpointStyle(tenant: Tenant): EndpointStyle {
  return tenant.images[0]?.endpointStyle ?? 'contained';
}

/** What goes into an ImagingStudy for its Endpoint, made anew for each answer (IA-29). */
export function endpointElements(
  base: string,
  style: EndpointStyle,
): { contained?: Endpoint[]; endpoint: Reference[] } {
  return style === 'contained'
    ? {
        contained: [wadoEndpoint(base, CONTAINED_ID)],
        endpoint: [{ reference: `#${CONTAINED_ID}`, type: 'Endpoint' }],
      }
    : { endpoint: [{ reference: `Endpoint/${ENDPOINT_ID}`, type: 'Endpoint' }] };
}
