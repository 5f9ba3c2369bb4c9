/** The adapters of a server. */
import { loadedOnce } from '../domain/loaded-once.ts';
import type { ImageLocation } from '../domain/study.ts';
import { DicomwebSource } from './dicomweb/dicomweb-source.ts';
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

/** Returns the sources of a server. The first picture needs no records: their adapter is loaded with the first question. */
export function sourcesOf(
  { fhirBase, hasGraph }: ServerAddress,
  transport: Transport,
): { records: RecordSource; images: ImageSource } {
  const records = loadedOnce<RecordSource>(() =>
    hasGraph
      ? import('./graph/own-tenant.ts').then(({ ownTenant }) => ownTenant(tenantOf(fhirBase), transport))
      : import('./rest/rest-source.ts').then(({ RestSource }) => new RestSource(fhirBase, transport)),
  );
  return {
    records: {
      patients: async (...asked) => (await records()).patients(...asked),
      record: async (...asked) => (await records()).record(...asked),
      trend: async (...asked) => (await records()).trend(...asked),
      patientOf: async (...asked) => (await records()).patientOf(...asked),
      priors: async (...asked) => (await records()).priors(...asked),
      accesses: async (...asked) => (await records()).accesses(...asked),
      sharing: async () => (await records()).sharing(),
    },
    images: new DicomwebSource(transport),
  };
}

/** Returns the DICOMweb base of a tenant of our gateway; that of any other server is in its records. */
export function imagesOf({ fhirBase, hasGraph }: ServerAddress): ImageLocation | undefined {
  return hasGraph ? { dicomweb: `${tenantOf(fhirBase)}/dicomweb` } : undefined;
}

/** `{gateway}/{tenant}/fhir` without its last segment. */
const tenantOf = (fhirBase: string): string => fhirBase.replace(/\/fhir$/, '');
