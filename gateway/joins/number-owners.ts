import DataLoader from 'dataloader';
import type { Access } from '../../schema/access/access.ts';
import { RequestValues } from '../../schema/process/request-values.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { patientRecord, valueOf, type PatientRecord } from '../identity/patient-record.ts';
import { holderOf } from '../identity/resolve-identity.ts';
import { escaped, type ClinicalRecord } from './record-lookup.ts';

/** Records that one number may lead to, before it is unclear whose it is. */
const MOST_HOLDERS = 10;
/** Numbers whose owners one search finds. */
const MOST_NUMBERS = 50;

/**
 * Finds whose a record number is: the logical id of its owner, undefined where there is none or it is not clear. Numbers of
 * one caller that are asked for at the same time are one search (FG-6). Nothing is kept.
 */
export function numberOwners(open: (tenant: Tenant, access: Access) => ClinicalRecord, now: () => number) {
  /** Returns the records that have one of these identifiers; undefined for too many. */
  const holdersOf = async (tenant: Tenant, access: Access, tokens: readonly string[]) => {
    const params = [['identifier', tokens.join(',')]] as const;
    const search = { params, count: MOST_HOLDERS * tokens.length };
    const { resources, next } = await open(tenant, access).search('Patient', search);
    return next === undefined
      ? resources.flatMap((one) => patientRecord({ ...one }, one.id ?? '') ?? [])
      : undefined;
  };
  const ownerAmong = (number: string, holders: readonly PatientRecord[] = []) => {
    const having = holders.filter(({ identifier }) => identifier.some((one) => valueOf(one) === number));
    return having.length > MOST_HOLDERS ? undefined : holderOf(number, having, now())?.id;
  };
  const findOne = async (tenant: Tenant, access: Access, number: string, token = escaped(number)) =>
    ownerAmong(number, await holdersOf(tenant, access, [token]));
  const findTogether = async (tenant: Tenant, access: Access, numbers: readonly string[]) => {
    const together = await holdersOf(tenant, access, numbers.map(escaped));
    return together
      ? numbers.map((one) => ownerAmong(one, together))
      : Promise.all(numbers.map((one) => findOne(tenant, access, one)));
  };
  const finders = new RequestValues<Access, DataLoader<string, string | undefined>>();
  return {
    find(tenant: Tenant, access: Access, number: string): Promise<string | undefined> {
      const finder =
        finders.get(access) ??
        new DataLoader(
          ([only, ...others]) =>
            others.length === 0
              ? findOne(tenant, access, only!).then((owner) => [owner])
              : findTogether(tenant, access, [only!, ...others]),
          { cache: false, maxBatchSize: MOST_NUMBERS },
        );
      finders.set(access, finder);
      return finder.load(number);
    },
    /** @param token the number as a search names it, with its system */
    findOne,
  };
}
