import type { Identifier } from 'fhir/r4.js';
import type { PatientIdentity } from '../../schema/access/access.ts';
import { isGivenTo, mergedRecords, type RecordLookup } from './merged-records.ts';
import {
  isCertain,
  ownIdentity,
  severalOfOneKind,
  standsAlone,
  valueOf,
  type PatientRecord,
} from './patient-record.ts';

/**
 * Why a number is withheld, or a link is not followed: `link`: the records do not agree that they were merged;
 * `held-by-another`: another record has the number; `unconfirmed`: the server does not say who else has it.
 */
export type UnclearReason = 'link' | 'held-by-another' | 'unconfirmed';

export interface ResolveOptions {
  /** Undefined where the gateway has no credentials of its own: nothing can be confirmed. */
  lookup: RecordLookup | undefined;
  /** Called once for each reason. */
  onUnclear: (reason: UnclearReason) => void;
  /** Milliseconds since the epoch. */
  now: number;
}

/** Numbers that one search asks for. */
const MOST_NUMBERS = 50;

interface Claim {
  identifier: Identifier;
  value: string;
  isCertain: boolean;
}

/**
 * Returns the identity of a patient by the rules of docs/identity.md: the record's own numbers, those of records that were
 * merged with it, and which of these numbers are withheld because it is not clear whose they are.
 * @throws Fault when the server does not answer: nothing is guessed meanwhile
 */
export async function resolveIdentity(
  record: PatientRecord,
  { lookup, onUnclear, now }: ResolveOptions,
): Promise<PatientIdentity> {
  const own = ownIdentity(record);
  if (standsAlone(record, now)) return own;
  const { records, survivor, isUnclear } = lookup
    ? await mergedRecords(record, lookup)
    : {
        records: [record],
        survivor: record,
        isUnclear: record.replaces.length + record.replacedBy.length > 0,
      };
  const reasons = new Set<UnclearReason>(isUnclear ? ['link'] : []);

  const claimed = records.flatMap((one) => claimsOf(one, one === survivor, now));
  const several = new Set(records.flatMap(severalOfOneKind));
  const isDoubtful = (claim: Claim) => !claim.isCertain || several.has(claim.identifier);
  const values = new Set(claimed.filter(isDoubtful).map(({ value }) => value));
  const judge = judgeOf(await holdersOf([...values], lookup), records, now);
  const judged = claimed.map(
    (claim) => ({ ...claim, said: isDoubtful(claim) ? judge(claim) : 'own' }) as const,
  );
  const kept = new Set(judged.filter(({ said }) => said === 'own').map(({ value }) => value));
  const lost = judged.filter(({ value }) => !kept.has(value));
  for (const { said } of lost) if (said !== 'own') reasons.add(said);
  for (const reason of reasons) onUnclear(reason);

  const merged = records.filter((one) => one !== record).map(({ identifier }) => identifier);
  return Object.freeze({
    ...own,
    ...(merged.length > 0 && { merged }),
    ...(lost.length > 0 && { withheld: [...new Set(lost.map(({ value }) => value))] }),
  });
}

function claimsOf(record: PatientRecord, isSurvivor: boolean, now: number): Claim[] {
  return record.identifier
    .filter(valueOf)
    .map((identifier) => ({
      identifier,
      value: valueOf(identifier),
      isCertain: isSurvivor && isCertain(record, identifier, now),
    }));
}

/** Returns all records that have one of these numbers; undefined when nobody says so. */
async function holdersOf(values: readonly string[], lookup: RecordLookup | undefined) {
  return values.length > 0 && values.length <= MOST_NUMBERS ? lookup?.holders(values) : undefined;
}

/**
 * Returns a function that judges a doubtful number of these records, which are one person's. A number that is theirs by
 * their record's word is lost only to a record that claims it by the same right; any other one has to be proved theirs.
 */
function judgeOf(
  holders: readonly PatientRecord[] | undefined,
  records: readonly PatientRecord[],
  now: number,
): (claim: Claim) => 'own' | UnclearReason {
  const own = new Set(records.map(({ id }) => id));
  const others = (holders ?? []).filter((one) => !own.has(one.id) && !isGivenTo(one, records));
  return ({ value, isCertain: isOurs }) => {
    if (others.some((one) => claims(one, value, isOurs ? now : undefined))) return 'held-by-another';
    if (isOurs) return 'own';
    // A search that does not show a record that is known to have the number does not show others either.
    const isShown = holders?.some((one) => own.has(one.id) && claims(one, value));
    return isShown ? 'own' : 'unconfirmed';
  };
}

/** Tells whether a record has a number, or, at a time, has it for certain. */
function claims(record: PatientRecord, value: string, now?: number): boolean {
  return record.identifier.some(
    (one) => valueOf(one) === value && (now === undefined || isCertain(record, one, now)),
  );
}

/**
 * Returns the one record whose number this is, among all that have it; undefined when that is not clear. Records that were
 * replaced by another of them count as that one.
 */
export function holderOf(
  value: string,
  holders: readonly PatientRecord[],
  now: number,
): PatientRecord | undefined {
  const having = holders.filter((one) => claims(one, value));
  const othersThan = (one: PatientRecord) => having.filter((other) => other !== one);
  const left = having.filter((one) => !isGivenTo(one, othersThan(one)));
  if (left.length <= 1) return left[0];
  const certain = left.filter((one) => claims(one, value, now));
  return certain.length === 1 ? certain[0] : undefined;
}
