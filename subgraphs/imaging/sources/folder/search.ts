import type Database from 'better-sqlite3';
import { boundedCache, memoized } from '../../../../schema/cache/bounded-cache.ts';
import { Tag, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { InstanceTarget, Level, SourceQuery, Target } from '../source.ts';
import type { IndexedObject } from './indexed-object.ts';
import { condition, type Condition } from './matching.ts';

/** A served file in the index. */
export interface IndexedInstance {
  /** Relative to the folder. */
  path: string;
  size: number;
  mtime: number;
  sopInstanceUid: string;
  transferSyntax: string;
  /** Last change of the file before its header was read, in milliseconds since 1970. */
  ctime?: number;
  /** Identity of the indexed object, to compare when the file is read. */
  object?: IndexedObject;
}

type FileRow = Required<Omit<IndexedInstance, 'object'>> & IndexedObject;

interface Row {
  study: string;
  series?: string;
  instance?: string;
  seriesOfStudy?: number;
  instancesOfStudy?: number;
  modalities?: string;
  instancesOfSeries?: number;
}

const KEPT_OF_STUDY =
  'FROM file f WHERE f.state = 2 AND f.StudyInstanceUID = s.StudyInstanceUID AND f.kept = 1';
const KEPT_OF_SERIES = `${KEPT_OF_STUDY} AND f.SeriesInstanceUID = r.SeriesInstanceUID`;
const KEPT_OF_MODALITY = `${KEPT_OF_STUDY} AND f.SeriesInstanceUID = m.SeriesInstanceUID`;

/** Counts of served files, PS3.4 §C.3.4. */
const STUDY_COUNTS = `
  (SELECT count(*) ${KEPT_OF_STUDY}) AS instancesOfStudy,
  (SELECT count(DISTINCT f.SeriesInstanceUID) ${KEPT_OF_STUDY}) AS seriesOfStudy,
  (SELECT group_concat(Modality, '\\') FROM (SELECT DISTINCT m.Modality FROM series m
    WHERE m.StudyInstanceUID = s.StudyInstanceUID AND m.Modality IS NOT NULL AND EXISTS (SELECT 1 ${KEPT_OF_MODALITY})
    ORDER BY m.Modality)) AS modalities`;
const SERIES_COUNTS = `(SELECT count(*) ${KEPT_OF_SERIES}) AS instancesOfSeries`;

const SERIES = 'series r JOIN study s ON s.StudyInstanceUID = r.StudyInstanceUID';
const INSTANCES = `file i JOIN series r
  ON r.StudyInstanceUID = i.StudyInstanceUID AND r.SeriesInstanceUID = i.SeriesInstanceUID
  JOIN study s ON s.StudyInstanceUID = i.StudyInstanceUID`;

/** SQL for each level. The order of rows is stable, so that `offset` pages give each row once. */
const LEVELS: Record<Level, { select: string; from: string; where: string; order: string }> = {
  study: {
    select: `s.json AS study, ${STUDY_COUNTS}`,
    from: 'study s',
    where: `EXISTS (SELECT 1 ${KEPT_OF_STUDY})`,
    order: 's.StudyDate DESC, s.StudyTime DESC, s.StudyInstanceUID',
  },
  series: {
    select: `s.json AS study, r.json AS series, ${STUDY_COUNTS}, ${SERIES_COUNTS}`,
    from: SERIES,
    where: `EXISTS (SELECT 1 ${KEPT_OF_SERIES})`,
    order: 's.StudyDate DESC, s.StudyTime DESC, s.StudyInstanceUID, r.SeriesNumber, r.SeriesInstanceUID',
  },
  instance: {
    select: 's.json AS study, r.json AS series, i.json AS instance',
    from: INSTANCES,
    where: 'i.state = 2 AND i.kept = 1',
    order: `s.StudyDate DESC, s.StudyTime DESC, s.StudyInstanceUID, r.SeriesNumber, r.SeriesInstanceUID,
      i.InstanceNumber, i.SOPInstanceUID`,
  },
};

/** Attributes of higher levels that every row has. */
const ALWAYS: readonly string[] = [
  Tag.SpecificCharacterSet,
  Tag.PatientID,
  Tag.IssuerOfPatientID,
  Tag.PatientBirthDate,
  Tag.StudyInstanceUID,
  Tag.TimezoneOffsetFromUTC,
  Tag.SeriesInstanceUID,
  Tag.Modality,
];

/** Number of prepared statements that are kept. */
const MAX_STATEMENTS = 100;
/** Number of instances whose files are remembered. */
const MAX_REMEMBERED = 2000;

/** Searches the index of a folder. */
export class IndexSearch {
  readonly #database: Database.Database;
  /** Prepared statements by SQL. Preparing one takes longer than finding the file of a frame with it. */
  readonly #statement = memoized((sql) => this.#database.prepare(sql), { entries: MAX_STATEMENTS });
  /** Files of single instances in one generation of the index, because an image is read frame by frame. */
  readonly #remembered = boundedCache<IndexedInstance[]>({ entries: MAX_REMEMBERED });
  #generation: string | undefined;

  constructor(database: Database.Database) {
    this.#database = database;
  }

  /**
   * Returns QIDO-RS rows, PS3.18 §10.6.
   * @throws Fault `unsupported_parameter` for a key that the index does not have
   */
  rows(query: SourceQuery): DicomJson[] {
    const { select, from, where, order } = LEVELS[query.level];
    const conditions = restrictions(query);
    const sql = `SELECT ${select} FROM ${from}
      WHERE ${[where, ...conditions.map((condition) => condition.sql)].join(' AND ')}
      ORDER BY ${order} LIMIT ? OFFSET ?`;
    const values = conditions.flatMap((condition) => condition.values);
    const rows = this.#all(sql, [...values, query.limit ?? -1, query.offset ?? 0]) as Row[];
    const parts = { study: parsing(), series: parsing() };
    return rows.map((row) => datasetOf(row, query, parts));
  }

  /**
   * Returns the file of an instance, of its patient only.
   * @param generation of the index, which changes with it
   */
  instance(target: InstanceTarget, generation: string): readonly IndexedInstance[] {
    if (generation !== this.#generation) this.#remembered.clear();
    this.#generation = generation;
    const { studyUid, seriesUid, instanceUid, patient } = target;
    const key = `${studyUid} ${seriesUid} ${instanceUid} ${patient ? JSON.stringify(patient.id) : ''}`;
    const known = this.#remembered.get(key) ?? this.instances(target);
    this.#remembered.set(key, known);
    return known;
  }

  /**
   * Returns the files of a study, series or instance in the order of series and instance numbers, of its patient only.
   */
  instances({ studyUid, seriesUid, instanceUid, patient }: Target): IndexedInstance[] {
    const conditions = ['i.state = 2', 'i.kept = 1', 'i.StudyInstanceUID = ?'];
    if (seriesUid !== undefined) conditions.push('i.SeriesInstanceUID = ?');
    if (instanceUid !== undefined) conditions.push('i.SOPInstanceUID = ?');
    if (patient !== undefined) conditions.push('i.PatientID = ?');
    // A simpler query for one instance, because each of its frames needs one.
    const [from, order] =
      instanceUid === undefined ? [INSTANCES, `ORDER BY ${LEVELS.instance.order}`] : ['file i', ''];
    const sql = `SELECT i.path, i.size, i.mtime, i.ctime, i.SOPInstanceUID AS sopInstanceUid,
        i.AvailableTransferSyntaxUID AS transferSyntax, i.StudyInstanceUID AS studyUid, i.PatientID AS patientId,
        i.IssuerOfPatientID AS issuer
      FROM ${from} WHERE ${conditions.join(' AND ')} ${order}`;
    // The column has the first of several values.
    const ofPatient = patient?.id.split('\\', 1)[0];
    const values = [studyUid, seriesUid, instanceUid, ofPatient].filter((value) => value !== undefined);
    return (this.#all(sql, values) as FileRow[]).map(({ studyUid, patientId, issuer, ...file }) => {
      const { sopInstanceUid } = file;
      return { ...file, object: { studyUid, sopInstanceUid, patientId, issuer } };
    });
  }

  #all(sql: string, values: readonly unknown[]): unknown[] {
    return this.#statement(sql).all(...values);
  }
}

function restrictions(query: SourceQuery): Condition[] {
  const conditions: Condition[] = [];
  const uid = (tag: string, value: string | undefined): void => {
    if (value !== undefined) conditions.push({ sql: `${tag} = ?`, values: [value] });
  };
  uid('s.StudyInstanceUID', query.studyUid);
  uid('r.SeriesInstanceUID', query.seriesUid);
  if (query.patientIds) conditions.push(patients(query.patientIds));
  for (const [tag, alternatives] of query.match) {
    const found = condition(query.level, tag, alternatives);
    if (found) conditions.push(found);
  }
  return conditions;
}

/** Matches PatientIDs exactly (DW-21). An empty one belongs to no patient. */
function patients(ids: readonly { value: string; issuer?: string }[]): Condition {
  const named = ids
    .map(({ value, issuer }) => ({ value: value.trim(), issuer }))
    .filter(({ value }) => value !== '');
  if (named.length === 0) return { sql: '0', values: [] };
  const each = named.map(({ value, issuer }) =>
    issuer === undefined
      ? { sql: 's.PatientID = ?', values: [value] }
      : { sql: '(s.PatientID = ? AND s.IssuerOfPatientID = ?)', values: [value, issuer] },
  );
  return {
    sql: `(${each.map(({ sql }) => sql).join(' OR ')})`,
    values: each.flatMap(({ values }) => values),
  };
}

const AVAILABILITY = Object.freeze({ vr: 'CS', Value: ['ONLINE'] });

/** Parses texts. Rows of one study or series follow each other, and share the elements of the same text. */
function parsing(): (text: string) => DicomJson {
  let last: { text: string; parsed: DicomJson } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, parsed: JSON.parse(text) as DicomJson };
    return { ...last.parsed };
  };
}

function datasetOf(
  row: Row,
  query: SourceQuery,
  parts: { study(text: string): DicomJson; series(text: string): DicomJson },
): DicomJson {
  const study = parts.study(row.study);
  const series = parts.series(row.series ?? '{}');
  const instance = JSON.parse(row.instance ?? '{}') as DicomJson;
  if (row.modalities) study[Tag.ModalitiesInStudy] = { vr: 'CS', Value: row.modalities.split('\\') };
  count(study, Tag.NumberOfStudyRelatedSeries, row.seriesOfStudy);
  count(study, Tag.NumberOfStudyRelatedInstances, row.instancesOfStudy);
  count(series, Tag.NumberOfSeriesRelatedInstances, row.instancesOfSeries);

  // PS3.18 §10.6.3.3: rows have all attributes of a level that the URL does not name.
  const wanted = (tag: string): boolean =>
    query.includeField === 'all' || ALWAYS.includes(tag) || query.includeField.includes(tag);
  const whole = {
    study: query.level === 'study' || !query.studyUid,
    series: query.level !== 'instance' || !query.seriesUid,
  };
  const result: DicomJson = {
    ...(whole.study ? study : pick(study, wanted)),
    ...(whole.series ? series : pick(series, wanted)),
    ...instance,
    [Tag.InstanceAvailability]: AVAILABILITY,
  };
  return Object.fromEntries(Object.entries(result).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function pick(dataset: DicomJson, wanted: (tag: string) => boolean): DicomJson {
  return Object.fromEntries(Object.entries(dataset).filter(([tag]) => wanted(tag)));
}

function count(dataset: DicomJson, tag: string, value: number | undefined): void {
  if (value !== undefined) dataset[tag] = { vr: 'IS', Value: [value] };
}
