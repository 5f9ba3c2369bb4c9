import { z } from 'zod';
import type { PatientGrant } from '../../schema/access.ts';
import { FHIR_ID } from '../../schema/fhir.ts';
import type { Tenant } from '../../schema/tenant.ts';
import { expiringCache } from './expiring-cache.ts';
import type { Outside } from './upstream.ts';
import { call, nonsense } from './upstream.ts';

/** Some patients of a client, and which of their studies; all of them where it does not say. */
export interface PolicyRow {
  patients: readonly string[];
  studies?: readonly string[] | undefined;
}

/** What a decision service answers. A key that is not known might narrow the row: it is not guessed at. */
const decision = z.strictObject({
  rows: z
    .array(
      z.strictObject({
        patients: z.array(z.string().regex(FHIR_ID)),
        studies: z.array(z.string()).optional(),
      }),
    )
    .max(10_000),
});

/** How long a decision is kept; a token's memory adds as much again, so that a change is seen within a minute. */
export const DECISION_SECONDS = 30;

export type PolicyService = (tenant: Tenant, url: string, client: string) => Promise<readonly PolicyRow[]>;

/**
 * Asks a tenant's decision service which patients and studies a Backend Services client may see (IA-8): POST
 * `{ client_id, tenant }`, answered with `{ rows: [{ patients, studies? }] }`.
 * @throws Fault of the service: `unavailable` or `bad_gateway` where it gives no such answer (IA-9: fail closed)
 */
export function policyService(outside: Outside): PolicyService {
  const decisions = expiringCache<readonly PolicyRow[]>(10_000, outside.now);
  return (tenant, url, client) =>
    decisions.get(`${tenant.key}\0${client}`, async () => {
      const { status, json } = await call(outside, tenant, url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ client_id: client, tenant: tenant.key }),
      });
      const parsed = decision.safeParse(json);
      if (status !== 200 || !parsed.success) {
        throw nonsense('has a policy service that does not decide', new Error(`it answered ${status}`));
      }
      return { value: parsed.data.rows, seconds: DECISION_SECONDS };
    });
}

/** The patients in reach by these rows; a patient whom any row gives whole is given whole. */
export function grantsOf(rows: readonly PolicyRow[]): PatientGrant[] {
  const grants = new Map<string, PatientGrant>();
  for (const { patients, studies } of rows) {
    for (const id of patients) {
      const before = grants.get(id);
      const all = !studies || (before && !before.studies);
      grants.set(id, all ? { id } : { id, studies: [...(before?.studies ?? []), ...studies] });
    }
  }
  return [...grants.values()];
}
