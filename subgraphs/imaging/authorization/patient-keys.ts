import { patientOutOfReach } from '../../../schema/fault/refusals.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import type { Reach } from './ownership.ts';
import { unpadded, type PatientKey } from '../facts/identifiers.ts';
import { hasWildcard } from '../dicom/wildcards.ts';

/**
 * Returns the PatientIDs to ask a source for: those in reach, or the ones of them that the request names (DW-3).
 * Undefined for any PatientID. `pattern` when the caller reaches all patients and names a PatientID with wildcards.
 * @param reaches none by accession number, where only the studies give the PatientID
 * @throws Fault `forbidden` when it names one that is not the caller's (IA-7)
 */
export function keysFor(
  reaches: readonly Reach[] | undefined,
  named: readonly string[] | undefined,
  config: Pick<ImagesConfig, 'issuer'>,
): readonly PatientKey[] | 'pattern' | undefined {
  const own = reaches && reaches.every((reach) => reach.by !== 'server') ? keysOf(reaches) : undefined;
  if (!named || named.length === 0) return own;
  const ids = named.map(unpadded);
  if (own) {
    requireOwn(
      ids,
      own.map(({ value }) => value),
    );
    return own.filter(({ value }) => ids.includes(value));
  }
  if (ids.some(hasWildcard)) return 'pattern';
  return ids.map((value) => ({ value, issuer: config.issuer }));
}

/** Refuses with Fault `forbidden` a named PatientID that is not the caller's (IA-7). */
export function requireOwn(named: readonly string[], own: readonly string[]): void {
  if (named.every((id) => own.includes(id))) return;
  throw patientOutOfReach();
}

/** Tells whether rows of these patients may be out of reach for a reason that a source cannot be asked to respect. */
export function isLimited(reaches: readonly Reach[] | undefined): boolean {
  return reaches?.some((reach) => reach.grant.studies !== undefined || mayContradict(reach)) ?? false;
}

/** An issuer contradicts only where a patient has several numbers. */
function mayContradict(reach: Reach): boolean {
  if (reach.by !== 'mrn') return false;
  return [...reach.issued.values()].some((own) => reach.keys.some(({ value }) => !own.has(value)));
}

function keysOf(reaches: readonly Reach[]): readonly PatientKey[] {
  const [only, ...others] = reaches;
  if (only?.by === 'mrn' && others.length === 0) return only.keys;
  return reaches.flatMap((reach) => (reach.by === 'mrn' ? reach.keys : []));
}
