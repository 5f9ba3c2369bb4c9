import type { ImagingStudy, ImagingStudySeries } from 'fhir/r4.js';
import { onlyElements, subsetted } from '../../../schema/fhir/elements.ts';
import { omitEmpty } from '../dicom/omit-empty.ts';
import type { Parts } from './search.ts';

/** Parts of an ImagingStudy: `_elements` and `_summary` (FHIR R4 §3.1.1.5.9, §3.1.1.5.8). */

/** Maximum instances on a page that are given without being asked for by name; a page with more leaves them out. */
const INSTANCE_LIMIT = 2000;

/** Elements without which the study would not be valid. */
const MANDATORY = ['status', 'subject'];

/**
 * Returns whether instances belong in the answer: they are asked for by name, or nothing excludes them and the page has
 * at most `INSTANCE_LIMIT` (IA-16: "on request for very large studies").
 */
export function wantsInstances({ elements, summary }: Parts, instances: number): boolean {
  if (summary === 'true' || summary === 'text' || summary === 'count') return false;
  if (summary === 'false') return true;
  if (elements) {
    if (elements.includes('series.instance') || elements.some((one) => one.startsWith('series.instance.'))) {
      return true;
    }
    if (!elements.includes('series')) return false;
  }
  return instances <= INSTANCE_LIMIT;
}

/**
 * Reduces a study to the wanted parts. An incomplete study gets the tag SUBSETTED.
 * @param withInstances whether the study was made with its instances
 */
export function subset(study: ImagingStudy, parts: Parts, withInstances: boolean): ImagingStudy {
  const { elements, summary } = parts;
  const whole = !elements && (summary === undefined || summary === 'false' || summary === 'data');
  if (whole && withInstances) return study;
  return subsetted(elements || summary === 'text' ? studyElements(study, parts) : study);
}

function studyElements(study: ImagingStudy, { elements, summary }: Parts): ImagingStudy {
  const names = summary === 'text' ? ['text'] : elements!;
  // A contained Endpoint may only be there together with the reference to it.
  const contained = names.some((name) => name.split('.')[0] === 'endpoint') ? ['contained'] : [];
  const wanted = names.filter((name) => name !== 'contained');
  const kept = onlyElements(study, [...wanted, ...contained], MANDATORY);
  const nested = (elements ?? []).filter((element) => element.startsWith('series.'));
  if (kept.series && nested.length > 0 && !elements!.includes('series')) {
    const inSeries = new Set(nested.map((element) => element.split('.')[1]!));
    kept.series = kept.series.map((series) => seriesElements(series, inSeries));
  }
  return kept;
}

function seriesElements(series: ImagingStudySeries, wanted: ReadonlySet<string>): ImagingStudySeries {
  const entries = Object.entries(series);
  return omitEmpty(
    Object.fromEntries(
      entries.filter(([name]) => name === 'uid' || name === 'modality' || wanted.has(name)),
    ) as ImagingStudySeries,
  );
}
