import type { ImagingStudySeries } from 'fhir/r4.js';
import { uidFromToken } from '../../../schema/fhir/fhir.ts';
import { byNumber } from '../study/document/study-document.ts';

/**
 * Returns the series of a joined study (IA-34): those of the archive, with what only the record says of them, and those
 * that only the record names. These have no endpoint: no archive has them.
 * @param record without endpoints
 */
export function joinedSeries(
  archive: readonly ImagingStudySeries[],
  record: readonly ImagingStudySeries[],
): ImagingStudySeries[] {
  const named = record.filter(({ uid }) => typeof uid === 'string');
  const own = new Map(named.toReversed().map((one) => [uidFromToken(one.uid), one]));
  const both = archive.map((series) => withRecords(series, own.get(series.uid)));
  const known = new Set(archive.map(({ uid }) => uid));
  const alone = [...own].flatMap(([uid, series]) => (known.has(uid) ? [] : [{ ...series, uid }]));
  return [...both, ...alone].sort(byNumber);
}

/** Instances and their number are those that can be retrieved. */
function withRecords(archive: ImagingStudySeries, own: ImagingStudySeries | undefined): ImagingStudySeries {
  if (!own) return archive;
  const { instance: _instance, numberOfInstances: _count, ...said } = own;
  return { ...said, ...archive };
}
