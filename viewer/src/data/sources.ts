/** The adapters of a server. They are loaded when it is known which: a sign-in needs none. */
import type { ImageLocation } from '../domain/study.ts';
import type { ImageSource, RecordSource } from './source.ts';
import type { Transport } from './transport.ts';

export interface ServerAddress {
  /** FHIR base URL, without a slash at the end. */
  fhirBase: string;
  /** True for a tenant of our gateway, which has the record by GraphQL. */
  hasGraph: boolean;
}

/** Returns the bases whose server may see the token. */
export function basesOf({ fhirBase, hasGraph }: ServerAddress): string[] {
  return [hasGraph ? tenantOf(fhirBase) : fhirBase];
}

/** @throws TypeError if the adapters cannot be loaded */
export async function sourcesOf(
  { fhirBase, hasGraph }: ServerAddress,
  transport: Transport,
): Promise<{ records: RecordSource; images: ImageSource }> {
  const [records, { DicomwebSource }] = await Promise.all([
    hasGraph
      ? import('./graph/own-tenant.ts').then(({ OwnTenant }) => new OwnTenant(tenantOf(fhirBase), transport))
      : import('./rest/rest-source.ts').then(({ RestSource }) => new RestSource(fhirBase, transport)),
    import('./dicomweb/dicomweb-source.ts'),
  ]);
  return { records, images: new DicomwebSource(transport) };
}

/** Returns the DICOMweb base of a tenant of our gateway; that of any other server is in its records. */
export function imagesOf({ fhirBase, hasGraph }: ServerAddress): ImageLocation | undefined {
  return hasGraph ? { dicomweb: `${tenantOf(fhirBase)}/dicomweb` } : undefined;
}

/** `{gateway}/{tenant}/fhir` without its last segment. */
const tenantOf = (fhirBase: string): string => fhirBase.replace(/\/fhir$/, '');
