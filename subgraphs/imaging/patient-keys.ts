import { Fault } from '../../schema/fault.ts';
import type { ImagesConfig } from '../../schema/tenant.ts';
import { unpadded, type PatientKey, type Reach } from './ownership.ts';
import { hasWildcard } from './wildcards.ts';

/**
 * PatientIDs to ask a source for: the caller's own, or those of them that the request names (DW-3).
 * `pattern` where a caller who reaches everybody names one with wildcards.
 * @throws Fault `forbidden` when it names one that is not the caller's (IA-7)
 */
export function keysFor(
  reaches: readonly Reach[] | undefined,
  named: readonly string[] | undefined,
  config: ImagesConfig,
): readonly PatientKey[] | 'pattern' | undefined {
  const own = reaches?.every(({ keys }) => keys) ? reaches.flatMap(({ keys }) => keys!) : undefined;
  if (!named || named.length === 0) return own;
  const ids = named.map(unpadded);
  if (own) {
    if (!ids.every((id) => own.some(({ value }) => value === id))) {
      throw new Fault('forbidden', 'The token does not give access to the patient that was asked for.');
    }
    return own.filter(({ value }) => ids.includes(value));
  }
  if (ids.some(hasWildcard)) return 'pattern';
  return ids.map((value) => ({ value, ...(config.issuer !== undefined && { issuer: config.issuer }) }));
}

export function isLimited(reaches: readonly Reach[] | undefined): boolean {
  return reaches?.some(({ grant }) => grant.studies !== undefined) ?? false;
}
