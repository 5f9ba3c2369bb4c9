import { patientOutOfReach } from '../../../schema/fault/refusals.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import type { Reach } from './ownership.ts';
import { unpadded, type PatientKey } from '../facts/identifiers.ts';
import { hasWildcard } from '../dicom/wildcards.ts';

/**
 * PatientIDs to ask a source for: the caller's own, or those of them that the request names (DW-3); undefined for
 * anybody's, `pattern` where a caller who reaches everybody names one with wildcards.
 * @param reaches not of accession numbers: whose they are is told by the studies
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
  return ids.map((value) => ({ value, ...(config.issuer !== undefined && { issuer: config.issuer }) }));
}

/** @throws Fault `forbidden` when a PatientID is named that is not the caller's (IA-7) */
export function requireOwn(named: readonly string[], own: readonly string[]): void {
  if (named.every((id) => own.includes(id))) return;
  throw patientOutOfReach();
}

export function isLimited(reaches: readonly Reach[] | undefined): boolean {
  return reaches?.some(({ grant }) => grant.studies !== undefined) ?? false;
}

function keysOf(reaches: readonly Reach[]): PatientKey[] {
  return reaches.flatMap((reach) => (reach.by === 'mrn' ? reach.keys : []));
}
