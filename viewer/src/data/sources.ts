/** The adapters of a server. */
import { DicomwebSource } from './dicomweb/dicomweb-source.ts';
import { GraphSource } from './graph/graph-source.ts';
import { RestSource } from './rest/rest-source.ts';
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

export function sourcesOf(
  { fhirBase, hasGraph }: ServerAddress,
  transport: Transport,
): { records: RecordSource; images: ImageSource } {
  const records = hasGraph
    ? new GraphSource(tenantOf(fhirBase), transport)
    : new RestSource(fhirBase, transport);
  return { records, images: new DicomwebSource(transport) };
}

/** `{gateway}/{tenant}/fhir` without its last segment. */
const tenantOf = (fhirBase: string): string => fhirBase.replace(/\/fhir$/, '');
