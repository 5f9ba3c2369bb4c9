import { number, Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { writeFhirJson } from '../../../schema/fhir/decimal.ts';
import type { StudyKeys } from '../../../schema/fhir/study-match.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { keysOf } from '../study/document/study-keys.ts';
import { uidOf } from '../study/record/record-halves.ts';
import { findStudies, type ResourceOptions } from './find.ts';
import { withInstances } from './page-instances.ts';
import { parseSearch } from './search.ts';

/** Studies that are asked for together. */
const TOGETHER = 200;

/** A study with what joins it with the record. */
interface WholeStudy {
  /** FHIR JSON of the ImagingStudy, without instances. */
  json: string;
  keys: StudyKeys;
}

/**
 * Returns the ids of all studies that a search finds, also of those of the record alone.
 * @throws Fault like that search; the first one of a source that did not answer: its studies would be missing
 */
export async function studyIds(imaging: AuthorizedStudies): Promise<readonly string[]> {
  const wanted = { detail: 'study', joined: true } as const;
  const isOfAll = imaging.access.patients === 'all';
  const least = imaging.isOneFolder ? { onlyUids: true as const } : { owners: false as const };
  let list = await imaging.list(undefined, isOfAll ? { ...wanted, ...least } : wanted);
  // Studies of the record are joined by their patients too.
  const isJoined = (list.alone ?? []).length + (list.joined?.size ?? 0) > 0;
  if (isOfAll && isJoined) list = await imaging.list(undefined, wanted);
  const { records, alone = [], failed } = list;
  if (failed[0]) throw failed[0];
  return [...new Set([...records.map(uidOf), ...alone.map(({ id }) => id)])];
}

/**
 * Gives all studies that a search finds, each once, some at a time.
 * @param open opens the images anew: they keep what they have found
 * @throws Fault as `studyIds`
 */
export async function* allStudies(
  open: () => AuthorizedStudies,
  options: ResourceOptions,
): AsyncGenerator<readonly WholeStudy[]> {
  for (const ids of await chunks(open())) {
    const { page, failed } = await findStudies(open(), named(ids), options);
    if (failed[0]) throw failed[0];
    yield page.map((found) => ({ json: writeFhirJson(found.study), keys: keysOf(found) }));
  }
}

/** Gives the metadata of all instances that a search finds, study by study. @throws Fault as `studyIds` */
export async function* allMetadata(open: () => AuthorizedStudies): AsyncGenerator<readonly DicomJson[]> {
  for (const studyUid of await studyIds(open())) {
    try {
      const metadata = await open().read({ studyUid }, 'metadata', (study) => study.encodedMetadata({}));
      const json = await metadata.encoded('', 'identity');
      yield JSON.parse(Buffer.from(json).toString()) as DicomJson[];
    } catch (error) {
      // A study of the record alone, or one that was deleted meanwhile.
      if (!(error instanceof Fault) || error.code !== 'not_found') throw error;
    }
  }
}

/** Gives the rows of all instances that a search finds, some studies at a time. @throws Fault as `studyIds` */
export async function* allInstances(
  open: () => AuthorizedStudies,
  options: ResourceOptions,
): AsyncGenerator<readonly DicomJson[]> {
  for (const ids of await chunks(open())) {
    const imaging = open();
    const found = await findStudies(imaging, named(ids), options);
    const whole = await withInstances(imaging, found, 'rows');
    yield whole.flatMap(({ record }) => record?.instances ?? []);
  }
}

async function chunks(imaging: AuthorizedStudies): Promise<string[][]> {
  const ids = await studyIds(imaging);
  return Array.from({ length: Math.ceil(ids.length / TOGETHER) }, (_, at) =>
    ids.slice(at * TOGETHER, (at + 1) * TOGETHER),
  );
}

const named = (ids: readonly string[]) => ({
  ...parseSearch([['_id', ids.join(',')]], { strict: true, patientBases: [] }),
  count: Infinity,
});

/** Returns an instance as a row of the tables of analysts. @param tags attributes that they have besides */
export function instanceRow(row: DicomJson, tags: readonly string[]) {
  return {
    id: text(row, Tag.SOPInstanceUID)!,
    study_id: text(row, Tag.StudyInstanceUID)!,
    series_id: text(row, Tag.SeriesInstanceUID)!,
    sop_class: text(row, Tag.SOPClassUID),
    number: number(row, Tag.InstanceNumber),
    frames: number(row, Tag.NumberOfFrames),
    rows: number(row, Tag.Rows),
    columns: number(row, Tag.Columns),
    more: JSON.stringify(Object.fromEntries(tags.flatMap((tag) => (row[tag] ? [[tag, row[tag]]] : [])))),
  };
}
