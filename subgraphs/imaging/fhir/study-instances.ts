import type { ImagingStudy, ImagingStudySeries } from 'fhir/r4.js';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { uid } from '../dicom/dicom-text.ts';
import { deepFreeze } from '../../../schema/process/deep-freeze.ts';
import { OfRows } from '../facts/of-rows.ts';
import { grouped } from '../facts/study-rows.ts';
import { byNumber, imagingStudyInstance, isInstance } from '../study/document/study-document.ts';

/** Keyed by the resource without instances. */
const whole = new OfRows<ImagingStudy, ImagingStudy>();

/**
 * Adds the instances of a study to a resource that was made without them (IA-16). Returns a copy: a frozen one of a
 * frozen resource, and the same one for the same rows.
 */
export function addInstances(study: ImagingStudy, rows: readonly DicomJson[]): ImagingStudy {
  if (!Object.isFrozen(study)) return withInstances(study, rows);
  return whole.of(study, rows, () => deepFreeze(withInstances(study, rows)));
}

function withInstances(study: ImagingStudy, rows: readonly DicomJson[]): ImagingStudy {
  const bySeries = grouped(rows, (row) => uid(row, Tag.SeriesInstanceUID));
  const series = study.series?.map((one) => seriesWith(one, bySeries.get(one.uid)));
  if (!series) return study;
  // A series that only the record names has no rows, and counts for nothing (IA-34).
  const counts = series.map(({ uid, numberOfInstances = 0 }) => (bySeries.has(uid) ? numberOfInstances : 0));
  const numberOfInstances = study.numberOfInstances ?? counts.reduce((sum, count) => sum + count, 0);
  return { ...study, numberOfInstances, series };
}

/** Returns a copy of a resource without its instances. */
export function removeInstances(study: ImagingStudy): ImagingStudy {
  const series = study.series?.map(({ instance: _, ...rest }) => rest);
  return series ? { ...study, series } : study;
}

function seriesWith(series: ImagingStudySeries, rows: readonly DicomJson[] | undefined): ImagingStudySeries {
  if (!rows) return series;
  const instance = rows.filter(isInstance).map(imagingStudyInstance).sort(byNumber);
  return {
    ...series,
    numberOfInstances: series.numberOfInstances ?? rows.length,
    ...(instance.length > 0 && { instance }),
  };
}
