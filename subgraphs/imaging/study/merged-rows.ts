import { number, Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { uid } from '../dicom/dicom-text.ts';
import type { Level } from '../sources/source.ts';
import type { Contents, Counts, Holding } from './contents.ts';
import type { StudyRecord } from './study-records.ts';

/** Rows of one study in several archives, as rows of their union (DW-18). Rows are shared with a cache: they are copied. */

const SOP_CLASSES_IN_STUDY = '00080062';
/** Attributes of a study's row that list values of its series and instances. */
const LISTS = [Tag.ModalitiesInStudy, SOP_CLASSES_IN_STUDY] as const;

/**
 * Merges the rows that archives have of a study.
 * @param rows the first gives the attributes of the study
 * @param counts of the union
 */
export function mergedStudyRow(rows: readonly [DicomJson, ...DicomJson[]], counts: Counts): DicomJson {
  const [first, ...others] = rows;
  const row = withCounts(first, {
    [Tag.NumberOfStudyRelatedSeries]: counts.series.size,
    [Tag.NumberOfStudyRelatedInstances]: counts.instances,
  });
  const lists = LISTS.flatMap((tag) => {
    const values = new Set(rows.flatMap((one) => one[tag]?.Value ?? []));
    const isMore = others.length > 0 && values.size > (first[tag]?.Value?.length ?? 0);
    return isMore ? [[tag, { vr: rows.find((one) => one[tag])![tag]!.vr, Value: [...values] }]] : [];
  });
  return lists.length > 0 ? { ...row, ...Object.fromEntries(lists) } : row;
}

/** Gives a series the number of its instances in all archives. */
function mergedSeriesRow(row: DicomJson, counts: Counts): DicomJson {
  const count = counts.series.get(uid(row, Tag.SeriesInstanceUID) ?? '');
  return count === undefined ? row : withCounts(row, { [Tag.NumberOfSeriesRelatedInstances]: count });
}

function withCounts(row: DicomJson, counts: Readonly<Record<string, number>>): DicomJson {
  const changed = Object.entries(counts).filter(([tag, count]) => number(row, tag) !== count);
  if (changed.length === 0) return row;
  return {
    ...row,
    ...Object.fromEntries(changed.map(([tag, count]) => [tag, { vr: 'IS', Value: [count] }])),
  };
}

/**
 * Merges the records that archives have of one study.
 * @param records in the order of the tenant
 * @returns the first, unchanged, if the others have no more
 */
export function mergedRecord(
  records: readonly [StudyRecord, ...StudyRecord[]],
  counts: Counts | undefined,
): StudyRecord {
  const [first] = records;
  if (!counts) return first;
  const study = mergedStudyRow([first.study, ...records.slice(1).map((one) => one.study)], counts);
  const series = firstOfEach(
    records.map((one) => one.series),
    Tag.SeriesInstanceUID,
  ).map((row) => mergedSeriesRow(row, counts));
  const { instances: own } = first;
  const instances =
    own &&
    firstOfEach(
      records.map((one) => one.instances ?? []),
      Tag.SOPInstanceUID,
    );
  const isSame =
    study === first.study &&
    series.length === first.series.length &&
    series.every((row, index) => row === first.series[index]) &&
    instances?.length === own?.length;
  if (isSame) return first;
  const isSplit = series.length > 0 && records.every((one) => one.series.length < series.length);
  return Object.freeze({
    ...first,
    study,
    series,
    ...(instances && { instances }),
    ...(isSplit && { isSplit }),
  });
}

/** Keeps the first row with each UID; rows without a UID stay. */
function firstOfEach(lists: readonly (readonly DicomJson[])[], tag: string): DicomJson[] {
  const seen = new Set<string>();
  return lists.flat().filter((row) => {
    const value = uid(row, tag);
    if (value === undefined) return true;
    if (seen.has(value)) return false;
    seen.add(value);
    return true;
  });
}

/**
 * Merges rows of series or instances that archives found of one study, in the order of the tenant: each row is that of the
 * archive which gives the series or instance, so that a search never finds another archive's version of it.
 */
export function mergedRows<S>(
  found: readonly { source: S; rows: readonly DicomJson[] }[],
  level: Exclude<Level, 'study'>,
  { holdings, counts }: { holdings: readonly Holding<S>[]; counts: Counts },
): DicomJson[] {
  const tag = level === 'series' ? Tag.SeriesInstanceUID : Tag.SOPInstanceUID;
  const has = (contents: Contents, value: string) =>
    level === 'instance' ? contents.has(value) : seriesIn(contents).has(value);
  const givers = (value: string) => holdings.find(({ contents }) => has(contents, value))?.source;
  const own = found.map(({ source, rows }) =>
    rows.filter((row) => {
      const giver = givers(uid(row, tag) ?? '');
      return giver === undefined || giver === source;
    }),
  );
  const rows = firstOfEach(own, tag);
  return level === 'series' ? rows.map((row) => mergedSeriesRow(row, counts)) : rows;
}

const series = new WeakMap<Contents, ReadonlySet<string>>();

function seriesIn(contents: Contents): ReadonlySet<string> {
  let found = series.get(contents);
  if (!found) {
    found = new Set([...contents.values()].map(({ seriesUid }) => seriesUid));
    series.set(contents, found);
  }
  return found;
}
