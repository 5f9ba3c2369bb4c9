import type { ImagingStudy, ImagingStudySeries } from 'fhir/r4.js';
import { present } from '../dicom/present.ts';
import type { ImagingStudySearch } from './search.ts';

/** Parts of resources: `_elements` and `_summary` (FHIR R4 §3.1.1.5.9, §3.1.1.5.8). */

type Parts = Pick<ImagingStudySearch, 'elements' | 'summary'>;

/** Instances that are given without being asked for by name; a page of more studies than hold these leaves them out. */
const INSTANCE_LIMIT = 2000;

const SUBSETTED = {
  system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue',
  code: 'SUBSETTED',
  display: 'subsetted',
};

/** Always there: without them the resource would not be valid, or not known. */
const MANDATORY = new Set(['resourceType', 'id', 'meta', 'status', 'subject']);

/**
 * Whether instances belong in the answer: when they are asked for by name, or nothing speaks against them and they are
 * no more than `INSTANCE_LIMIT` on the page (IA-16: "on request for very large studies").
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
 * The parts of a study that are wanted. A study that is not whole says so with the tag SUBSETTED.
 * @param withInstances whether the study was made with its instances
 */
export function subset(study: ImagingStudy, parts: Parts, withInstances: boolean): ImagingStudy {
  const { elements, summary } = parts;
  const whole = !elements && (summary === undefined || summary === 'false' || summary === 'data');
  if (whole && withInstances) return study;
  const kept: ImagingStudy = elements || summary === 'text' ? onlyElements(study, parts) : study;
  const { meta, ...rest } = kept;
  return { ...rest, meta: { ...meta, tag: [...(meta?.tag ?? []), SUBSETTED] } };
}

function onlyElements(study: ImagingStudy, { elements, summary }: Parts): ImagingStudy {
  const names = new Set(summary === 'text' ? ['text'] : elements!.map((element) => element.split('.')[0]!));
  // A contained Endpoint belongs to the reference that points at it, and may not be there without it.
  if (names.has('endpoint')) names.add('contained');
  const kept = Object.fromEntries(
    Object.entries(study).filter(([name]) => MANDATORY.has(name) || names.has(name)),
  ) as unknown as ImagingStudy;
  if (!names.has('endpoint')) delete kept.contained;
  const nested = (elements ?? []).filter((element) => element.startsWith('series.'));
  if (kept.series && nested.length > 0 && !elements!.includes('series')) {
    const wanted = new Set(nested.map((element) => element.split('.')[1]!));
    kept.series = kept.series.map((series) => onlySeriesElements(series, wanted));
  }
  return kept;
}

function onlySeriesElements(series: ImagingStudySeries, wanted: ReadonlySet<string>): ImagingStudySeries {
  const entries = Object.entries(series);
  return present(
    Object.fromEntries(
      entries.filter(([name]) => name === 'uid' || name === 'modality' || wanted.has(name)),
    ) as unknown as ImagingStudySeries,
  );
}
