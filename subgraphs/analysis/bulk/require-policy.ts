import type { Access } from '../../../schema/access/access.ts';
import { rowsOfUser, type PolicyOwner } from '../../../schema/access/policy-rows.ts';
import { Fault } from '../../../schema/fault/fault.ts';

interface PolicyRow extends PolicyOwner {
  patients: readonly string[];
}

/**
 * Refuses a token whose patients are not those of the tenant's policy. The data of an EHR come here by its export: its own
 * rules for a person, and for the data of that person's patients, are not known.
 * @param policy of the tenant: rows, or a service that has decided for a backend client
 * @throws Fault `forbidden`
 */
export function requirePolicy(access: Access, policy: readonly PolicyRow[] | { url: string }): void {
  const { patients, permissions, user, client } = access;
  // System scopes reach nothing but the patients of the client's policy, whoever has decided (IA-8).
  if (permissions.length > 0 && permissions.every(({ level }) => level === 'system')) return;
  const own = rowsOfUser(policy, user, client);
  const named = new Set(own.flatMap((row) => row.patients));
  if (patients !== 'all' && named.size > 0 && patients.every(({ id }) => named.has(id))) return;
  const message =
    'The tables of this tenant are from an export of its EHR, which has its own rules for each person: only a client or user whom the policy of the tenant names gets answers.';
  throw new Fault('forbidden', message);
}
