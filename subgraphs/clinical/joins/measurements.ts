import type { Fault } from '../../../schema/fault/fault.ts';
import type { Clinical } from '../record/clinical.ts';

/**
 * Returns the measurements in the structured reports of a study, as far as a search for Observations may show them.
 * @throws Fault `insufficient_scope` without `Observation.s`, or without `ImagingStudy.r` for the reports themselves
 */
export async function measurementsOf(clinical: Clinical, studyUid: string) {
  let failed: readonly Fault[] = [];
  const observations = await clinical.permitted('Observation', async () => {
    const found = await clinical.images()?.measurements(studyUid);
    failed = found?.failed ?? [];
    return found?.observations ?? [];
  });
  return { observations, failed };
}
