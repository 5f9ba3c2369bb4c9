import { Fault } from '../../fault/fault.ts';

/** Sets of patients by which a search of the record and one of the images are joined: one finds them, the other takes them. */

/** Most patients of a set: where both record and images are searched in this process, and otherwise. */
export const MOST_PATIENTS = { local: 100_000, remote: 1_000 };

/**
 * Refuses a set that is too large.
 * @param isLocal true if the side that asks is searched in this process
 * @throws Fault `too_large`
 */
export function requirePatientSet(count: number, isLocal: boolean): void {
  const most = isLocal ? MOST_PATIENTS.local : MOST_PATIENTS.remote;
  if (count <= most) return;
  throw new Fault(
    'too_large',
    `The search leads to more than ${most} patients: ask for fewer, or use $sql-run where the server has it.`,
  );
}
