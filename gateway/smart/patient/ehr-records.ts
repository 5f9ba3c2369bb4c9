import { chunksByLength, MAX_IDS_LENGTH } from '../../../schema/fhir/id-chunks.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { RecordLookup } from '../../identity/merged-records.ts';
import { patientRecord, type PatientRecord } from '../../identity/patient-record.ts';
import { escaped } from '../../joins/record-lookup.ts';
import type { EhrConfig, SmartConfiguration } from '../discovery/ehr-configuration.ts';
import type { BackendTokens } from '../token/backend-token.ts';
import { quirksOf } from '../token/quirks.ts';
import type { UpstreamDeps } from '../token/upstream.ts';
import { get, readOne, resourcesIn, type Asker } from './patient-reads.ts';

/** The EHR of a tenant. */
export interface AskedEhr {
  tenant: Tenant;
  config: EhrConfig;
  document: () => Promise<SmartConfiguration>;
}

/** Returns the gateway itself as the one who asks an EHR; undefined when the tenant has no credentials for that. */
export function ownAsker(
  { outside, tokens }: { outside: UpstreamDeps; tokens: BackendTokens },
  { tenant, config, document }: AskedEhr,
): Asker | undefined {
  const { client, fhirBaseUrl } = config;
  if (!(client?.jwkPrivate ?? client?.client_secret)) return undefined;
  const token = async () => tokens.get(tenant, client!, config, await document());
  const renewed = () => {
    tokens.drop(tenant);
    return token();
  };
  return { outside, tenant, fhirBaseUrl, token, renewed };
}

/**
 * Returns the lookup of records with the gateway's own credentials. A token of a caller is not used: it may hide that
 * another person has a number. Undefined for a tenant without such credentials, or whose patients are read with the
 * caller's token.
 */
export function ehrRecords(asker: Asker | undefined, config: EhrConfig): RecordLookup | undefined {
  if (!asker || quirksOf(config).patientReadWith !== 'own') return undefined;
  return {
    async read(id) {
      const found = await readOne(asker, id);
      return typeof found === 'string' ? undefined : found;
    },
    async holders(values) {
      const found: PatientRecord[] = [];
      for (const some of chunksByLength(values.map(searched), MAX_IDS_LENGTH)) {
        const { status, json } = await get(asker, `Patient?identifier=${some.join(',')}&_count=100`);
        if (status !== 200 || !isComplete(json)) return undefined;
        found.push(...recordsIn(json));
      }
      return found;
    },
  };
}

const searched = (value: string) => encodeURIComponent(escaped(value));

function isComplete(bundle: Record<string, unknown>): boolean {
  const { resourceType, link, total } = bundle;
  const hasNext =
    Array.isArray(link) && link.some((one) => (one as { relation?: unknown } | null)?.relation === 'next');
  return (
    resourceType === 'Bundle' && !hasNext && !(typeof total === 'number' && total > recordsIn(bundle).length)
  );
}

function recordsIn(bundle: Record<string, unknown>): PatientRecord[] {
  return resourcesIn(bundle).flatMap((resource) => {
    const { id } = resource;
    const record = typeof id === 'string' ? patientRecord(resource, id) : undefined;
    return record ? [record] : [];
  });
}
