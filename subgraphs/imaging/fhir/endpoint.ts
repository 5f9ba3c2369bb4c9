import type { Endpoint, ImagingStudy, Reference } from 'fhir/r4.js';
import { DICOM } from '../../../schema/dicom/dicom.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';

/** Logical ids of the Endpoint that all studies of a tenant share, and of the contained one. */
export const ENDPOINT_ID = 'dicomweb';
const CONTAINED_ID = 'e';

/** Both published URLs of the extension (IA-17). */
const REQUIRES_ACCESS_TOKEN = [
  'http://hl7.org/fhir/smart-app-launch/StructureDefinition/requires-access-token',
  'http://fhir.org/argonaut/smart-imaging/StructureDefinition/requires-access-token',
];

export interface WadoAddress {
  /** The WADO-RS base to which `/studies/{uid}` is appended. */
  address: string;
  /** Logical id; undefined for an entry that is identified by its `urn:uuid:`. */
  id?: string;
  /** True if requests must carry the token (IA-26). */
  requiresAccessToken?: boolean;
}

/** Returns the Endpoint from which images are retrieved (IA-17). */
export function wadoEndpoint({ address, id, requiresAccessToken = true }: WadoAddress): Endpoint {
  return {
    resourceType: 'Endpoint',
    id,
    extension: REQUIRES_ACCESS_TOKEN.map((url) => ({ url, valueBoolean: requiresAccessToken })),
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
    address,
  };
}

/** The way in which studies show their Endpoint. With `capability` each study has its own, `Endpoint/{Study Instance UID}`. */
export type EndpointStyle = 'contained' | 'included' | 'capability';

/** Returns how a tenant shows its Endpoint (IA-18); the first image source decides. */
export function endpointStyle(tenant: Tenant): EndpointStyle {
  const { retrieve = 'token', endpointStyle = 'contained' } = tenant.images[0] ?? {};
  return retrieve === 'token' ? endpointStyle : 'capability';
}

/** Tells whether a study names an Endpoint, itself or at a series. */
export function namesEndpoint({ endpoint, series }: ImagingStudy): boolean {
  return endpoint !== undefined || (series?.some((one) => one.endpoint) ?? false);
}

/** Returns the elements of an ImagingStudy for its Endpoint; made anew for each answer (IA-29). */
export function endpointElements(
  base: string,
  style: EndpointStyle,
  studyUid: string,
): { contained?: Endpoint[]; endpoint: Reference[] } {
  return style === 'contained'
    ? {
        contained: [wadoEndpoint({ address: `${base}/dicomweb`, id: CONTAINED_ID })],
        endpoint: [{ reference: `#${CONTAINED_ID}`, type: 'Endpoint' }],
      }
    : {
        endpoint: [
          { reference: `Endpoint/${style === 'capability' ? studyUid : ENDPOINT_ID}`, type: 'Endpoint' },
        ],
      };
}

/**
 * Returns the Endpoint style of a search. An Endpoint that is an entry of the Bundle (IA-14) is not also contained in
 * the studies.
 */
export function styleOfSearch(
  tenant: Tenant,
  { includeEndpoint }: { includeEndpoint: boolean },
): EndpointStyle {
  const own = endpointStyle(tenant);
  return includeEndpoint && own === 'contained' ? 'included' : own;
}

/** Returns a study whose images are retrieved at the address of a shared link, without a token (IA-36). */
export function withSharedEndpoint(study: ImagingStudy, address: string): ImagingStudy {
  if (!namesEndpoint(study)) return study;
  const contained = (study.contained ?? []).filter(({ resourceType }) => resourceType !== 'Endpoint');
  return {
    ...study,
    contained: [...contained, wadoEndpoint({ address, id: CONTAINED_ID, requiresAccessToken: false })],
    endpoint: [{ reference: `#${CONTAINED_ID}`, type: 'Endpoint' }],
    series: study.series?.map((one) => ({ ...one, endpoint: undefined })),
  };
}
