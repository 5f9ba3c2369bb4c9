/** FHIR ImagingStudy resources as studies. */
import type { ImageLocation, Series, Study } from '../../domain/study.ts';
import { startOf } from './dates.ts';
import { omitEmpty, present, type FhirSeries, type FhirStudy } from './shapes.ts';
import { hasCode } from './words.ts';

/** Says where images are; undefined where no archive has them. */
export interface Locations<S extends FhirSeries> {
  study?: ImageLocation | undefined;
  series: (series: S) => ImageLocation | undefined;
}

/** Returns a study; undefined if it has no Study Instance UID, or was entered in error. */
export function studyOf<S extends FhirSeries>(
  study: FhirStudy & { series?: readonly (S | null | undefined)[] | null | undefined },
  locations: Locations<S>,
): Study | undefined {
  const uid = studyUid(study);
  if (uid === undefined || study.status === 'entered-in-error') return undefined;
  const series = present(study.series).filter((one) => one.uid);
  const own = locations.study ?? series.map(locations.series).find((one) => one !== undefined);
  return omitEmpty({
    uid,
    id: study.id ?? uid,
    started: study.started ?? undefined,
    description: study.description ?? undefined,
    modalities: modalitiesOf(study, series),
    accession: present(study.identifier).find(({ type }) => hasCode(type, 'ACSN'))?.value ?? undefined,
    numberOfInstances: study.numberOfInstances ?? undefined,
    series: series.map((one) => seriesOf(one, differing(locations.series(one), own))).sort(bySeriesNumber),
    location: own,
  });
}

/** Returns the Study Instance UID: an identifier of system `urn:dicom:uid` (R4 ImagingStudy.identifier). */
export function studyUid({ identifier }: FhirStudy): string | undefined {
  const found = present(identifier).find(({ system }) => system === 'urn:dicom:uid')?.value;
  return found?.replace(/^urn:oid:/, '');
}

function modalitiesOf({ modality }: FhirStudy, series: readonly FhirSeries[]): string[] {
  const codes = [...present(modality), ...series.map((one) => one.modality)].flatMap(
    (one) => one?.code ?? [],
  );
  return [...new Set(codes)];
}

function seriesOf(series: FhirSeries, location: ImageLocation | undefined): Series {
  return omitEmpty({
    uid: series.uid!,
    number: series.number ?? undefined,
    modality: series.modality?.code ?? '',
    description: series.description ?? undefined,
    bodySite: series.bodySite?.display ?? series.bodySite?.code ?? undefined,
    numberOfInstances: series.numberOfInstances ?? undefined,
    location,
  });
}

function differing(
  own: ImageLocation | undefined,
  common: ImageLocation | undefined,
): ImageLocation | undefined {
  return own?.dicomweb === common?.dicomweb ? undefined : own;
}

function bySeriesNumber(a: Series, b: Series): number {
  return (a.number ?? Infinity) - (b.number ?? Infinity) || (a.uid < b.uid ? -1 : 1);
}

/** Sorts studies: newest first, undated ones last. */
export function newestFirst(studies: readonly Study[]): Study[] {
  const start = ({ started }: Study): number => startOf(started) ?? Number.MIN_SAFE_INTEGER;
  return [...studies].sort((a, b) => start(b) - start(a) || (a.uid < b.uid ? -1 : 1));
}
