import { z } from 'zod';
import type { PatientGrant } from '../../../schema/access/access.ts';
import { UID } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { expiringCache } from '../token/expiring-cache.ts';
import type { UpstreamDeps } from '../token/upstream.ts';
import { call, upstreamFault } from '../token/upstream.ts';

/** Some patients of a client and their studies; without `studies`: all studies of these patients. */
export interface PolicyRow {
  patients: readonly string[];
  studies?: readonly string[] | undefined;
}

/** Answer of a decision service. It is refused if it has an unknown key, which might narrow the row. */
const decision = z.strictObject({
  rows: z
    .array(
      z.strictObject({
        patients: z.array(z.string().regex(FHIR_ID)),
        studies: z.array(z.string().regex(UID)).optional(),
      }),
    )
    .max(10_000),
});

/** Time for which a decision is kept. The check of a token is kept as long again: a change takes effect within a minute. */
export const DECISION_SECONDS = 30;
/** Time for which the service is not asked again after it gave no decision (SM-9). */
const UNDECIDED_SECONDS = 1;

/**
 * Asks a tenant's decision service which patients and studies a Backend Services client may see (IA-8): POST
 * `{ client_id, tenant }`, answered with `{ rows: [{ patients, studies? }] }`.
 * @throws Fault of the returned function: `unavailable` or `bad_gateway` when there is no such answer (IA-9: fail closed)
 */
export function policyService(outside: UpstreamDeps) {
  const decisions = expiringCache<readonly PolicyRow[] | Fault>(10_000, outside.now);
  const ask = async (tenant: Tenant, url: string, client: string): Promise<readonly PolicyRow[]> => {
    const { status, json } = await call(outside, tenant, url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_id: client, tenant: tenant.key }),
    });
    const parsed = decision.safeParse(json);
    if (status === 200 && parsed.success) return parsed.data.rows;
    throw upstreamFault('has a policy service that gives no decision', new Error(`it answered ${status}`));
  };
  return async (tenant: Tenant, url: string, client: string): Promise<readonly PolicyRow[]> => {
    const decided = await decisions.get(`${tenant.cacheKey}\0${client}`, async () => {
      try {
        return { value: await ask(tenant, url, client), seconds: DECISION_SECONDS };
      } catch (error) {
        if (error instanceof Fault) return { value: error, seconds: UNDECIDED_SECONDS };
        throw error;
      }
    });
    if (decided instanceof Fault) throw decided;
    return decided;
  };
}

/** Largest number of pairs of a patient and a study in all rows: they are kept for each token of the client. */
const MAX_PAIRS = 100_000;

/**
 * Returns the patients in reach by these rows. If one row gives all studies of a patient, all of them are in reach.
 * @throws Fault `bad_gateway` when they name too many pairs of patients and studies
 */
export function grantsOf(rows: readonly PolicyRow[]): PatientGrant[] {
  const pairs = rows.reduce(
    (sum, { patients, studies = [] }) => sum + patients.length * Math.max(1, studies.length),
    0,
  );
  if (pairs > MAX_PAIRS) {
    throw upstreamFault(`has a policy of more than ${MAX_PAIRS} patients and studies for a client`);
  }
  const grants = new Map<string, Set<string> | undefined>();
  for (const { patients, studies } of rows) {
    for (const id of patients) {
      const before = grants.has(id) ? grants.get(id) : new Set<string>();
      if (before) for (const study of studies ?? []) before.add(study);
      grants.set(id, studies && before);
    }
  }
  return [...grants].map(([id, studies]) => (studies ? { id, studies: [...studies] } : { id }));
}
