import type { PatientRecord } from '../../domain/record/record.ts';
import type { Study } from '../../domain/study.ts';
import type { PlacedSeries } from './packing.ts';

/** The place of images in a package. */
const INSIDE = { dicomweb: 'package:' };

/**
 * Returns the record of a package: one study with its reports, and all that is of no other study if it is wanted. What is left
 * out counts as not read: nobody learns from the package that there is none.
 */
export function packedRecord(
  record: PatientRecord,
  { study, series, whole }: { study: Study; series: readonly PlacedSeries[]; whole: boolean },
): PatientRecord {
  const { numberOfInstances: _all, ...about } = study;
  const isWanted = ({ studies }: { studies: readonly string[] }) =>
    studies.includes(study.uid) || (whole && studies.length === 0);
  const inside = series.map(({ location: _location, ...one }) => one);
  const counts = inside.map(({ numberOfInstances }) => numberOfInstances);
  const isCounted = counts.every((count) => count !== undefined);
  const counted = isCounted ? { numberOfInstances: counts.reduce((sum, count) => sum + count, 0) } : {};
  return {
    ...record,
    ...(!whole && { allergies: undefined, problems: undefined, medications: undefined, visitsUnread: true }),
    studies: [{ ...about, ...counted, series: inside, location: INSIDE }],
    reports: record.reports.filter(isWanted),
    timeline: record.timeline.filter(isWanted),
  };
}
