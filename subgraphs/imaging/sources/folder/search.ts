import type Database from 'better-sqlite3';
import { boundedCache, memoized } from '../../../../schema/cache/bounded-cache.ts';
import { Tag, type DicomElement, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { mapInTurns, turns } from '../../../../schema/process/event-loop.ts';
import type { CountedBy, InstanceTarget, Level, SourceQuery, StudyCount, Target } from '../source.ts';
import type { IndexedObject } from './indexed-object.ts';
import { grouped } from '../../facts/study-rows.ts';
import { condition, type Condition, type Restriction } from './matching.ts';

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

type FileRow = Required<Omit<IndexedInstance, 'object'>> & Pick<IndexedObject, 'patientId' | 'issuer'>;

/** A row of a study, or of a series with its study. */
interface Row {
  studyUid: string;
  study: string;
  patientId?: string | null;
  seriesUid?: string;
  series?: string;
  instancesOfSeries?: number;
}

interface StudyCounts {
  seriesOfStudy: number;
  instancesOfStudy: number;
  modalities: string | null;
}

const SERIES = 'series r JOIN study s ON s.StudyInstanceUID = r.StudyInstanceUID';
const SERVED_STUDY = 'FROM served c WHERE c.StudyInstanceUID = s.StudyInstanceUID';
const SERVED_SERIES =
  'FROM served c WHERE c.StudyInstanceUID = r.StudyInstanceUID AND c.SeriesInstanceUID = r.SeriesInstanceUID';
const UIDS = `SELECT s.StudyInstanceUID FROM study s WHERE EXISTS (SELECT 1 ${SERVED_STUDY})`;
/** The usual order of FHIR, by instants: a study without a time zone has no time of day there. */
const STARTED_ORDER = 'ORDER BY s.started DESC, s.StudyInstanceUID';
const STUDY_ORDER = 's.StudyDate DESC, s.StudyTime DESC, s.StudyInstanceUID';

/** SQL for the levels with rows of their own. The order of rows is stable, so that `offset` pages give each row once. */
const LEVELS: Record<
  Exclude<Level, 'instance'>,
  { select: string; from: string; where: string; order: string }
> = {
  study: {
    select: 's.StudyInstanceUID AS studyUid, s.json AS study',
    from: 'study s',
    where: `EXISTS (SELECT 1 ${SERVED_STUDY})`,
    order: STUDY_ORDER,
  },
  series: {
    select: `s.StudyInstanceUID AS studyUid, s.json AS study, s.PatientID AS patientId, r.SeriesInstanceUID AS seriesUid, r.json AS series,
      (SELECT instances ${SERVED_SERIES}) AS instancesOfSeries`,
    from: SERIES,
    where: `EXISTS (SELECT 1 ${SERVED_SERIES})`,
    order: `${STUDY_ORDER}, r.SeriesNumber, r.SeriesInstanceUID`,
  },
};

/** Counts of served files of a study, which is named twice, PS3.4 §C.3.4. */
const STUDY_COUNTS = `SELECT count(*) AS seriesOfStudy, coalesce(sum(instances), 0) AS instancesOfStudy,
  (SELECT group_concat(Modality, '\\') FROM (SELECT DISTINCT r.Modality FROM series r
    WHERE r.StudyInstanceUID = ? AND r.Modality IS NOT NULL AND EXISTS (SELECT 1 ${SERVED_SERIES})
    ORDER BY r.Modality)) AS modalities
  FROM served WHERE StudyInstanceUID = ?`;

/** Numbers of studies with the same elements of an attribute, whose JSON path is the parameter. */
const COUNTS: Record<CountedBy['level'], string> = {
  study: `SELECT json_array(s.json -> ?) AS elements, count(*) AS studies
    FROM study s WHERE EXISTS (SELECT 1 ${SERVED_STUDY}) GROUP BY elements`,
  series: `SELECT elements, count(*) AS studies FROM (
    SELECT json_group_array(DISTINCT r.json -> ?) AS elements
    FROM series r WHERE EXISTS (SELECT 1 ${SERVED_SERIES}) GROUP BY r.StudyInstanceUID) GROUP BY elements`,
};

const SERIES_OF_STUDY =
  'SELECT SeriesInstanceUID AS seriesUid FROM series WHERE StudyInstanceUID = ? ORDER BY SeriesNumber, SeriesInstanceUID';

/** The files of a series. All are read at once: an open cursor would keep the index from being written. */
const FILES =
  'FROM file i WHERE i.state = 2 AND i.kept = 1 AND i.StudyInstanceUID = ? AND i.SeriesInstanceUID = ?';
const FILE_ORDER = 'ORDER BY i.InstanceNumber, i.SOPInstanceUID';

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
  async rows(query: SourceQuery): Promise<DicomJson[]> {
    const { level, limit, offset = 0 } = query;
    const restrictions = restrictionsOf(query);
    if (query.onlyUids) return this.#uids(restrictions);
    const dataset = this.#datasets(query);
    if (level !== 'instance')
      return mapInTurns(this.#above(level, restrictions, [limit ?? -1, offset]), (row) => dataset(row, {}));
    const own = restrictions.filter((one) => one.level === 'instance');
    const above = restrictions.filter((one) => one.level !== 'instance');
    const found: DicomJson[] = [];
    const pause = turns();
    const end = limit === undefined ? undefined : offset + limit;
    let seen = 0;
    // Each series has an instance at least.
    const mostSeries = own.length === 0 ? (end ?? -1) : -1;
    // A patient may have a hundred thousand instances: those of each series are read and sorted by themselves.
    for (const row of this.#above('series', above, [mostSeries, 0])) {
      await pause();
      const texts = this.#instances(row, own, end === undefined ? -1 : end - seen);
      for (const text of texts.slice(Math.max(0, offset - seen))) {
        found.push(dataset(row, JSON.parse(text) as DicomJson));
        const later = pause();
        if (later) await later;
      }
      seen += texts.length;
      if (seen === end) break;
    }
    return found;
  }

  /** Counts the studies that have served files by the values of an attribute. */
  counts({ level, tag }: CountedBy): StudyCount[] {
    const rows = this.#all(COUNTS[level], [`$."${tag}"`]) as { elements: string; studies: number }[];
    return rows.map(({ elements, studies }) => {
      const found = JSON.parse(elements) as (DicomElement | null)[];
      return { elements: found.map((one) => one ?? undefined), studies };
    });
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
    const known = this.#remembered.get(key) ?? this.#files(target, seriesUid);
    this.#remembered.set(key, known);
    return known;
  }

  /**
   * Returns the files of a study, series or instance in the order of series and instance numbers, of its patient only.
   */
  async instances(target: Target): Promise<IndexedInstance[]> {
    const { studyUid, seriesUid } = target;
    const found: IndexedInstance[] = [];
    const pause = turns();
    const series =
      seriesUid === undefined
        ? (this.#all(SERIES_OF_STUDY, [studyUid]) as { seriesUid: string }[])
        : [{ seriesUid }];
    for (const { seriesUid } of series) {
      await pause();
      for (const file of this.#files(target, seriesUid)) found.push(file);
    }
    return found;
  }

  /** Returns the files of a series, or of one of its instances. */
  #files({ studyUid, instanceUid, patient }: Target, seriesUid: string): IndexedInstance[] {
    const conditions: string[] = [];
    if (instanceUid !== undefined) conditions.push(' AND i.SOPInstanceUID = ?');
    if (patient !== undefined) conditions.push(' AND i.PatientID = ?');
    const sql = `SELECT i.path, i.size, i.mtime, i.ctime, i.SOPInstanceUID AS sopInstanceUid,
        i.AvailableTransferSyntaxUID AS transferSyntax, i.PatientID AS patientId, i.IssuerOfPatientID AS issuer
      ${FILES}${conditions.join('')} ${instanceUid === undefined ? FILE_ORDER : ''}`;
    // The column has the first of several values.
    const ofPatient = patient?.id.split('\\', 1)[0];
    const values = [studyUid, seriesUid, instanceUid, ofPatient].filter((value) => value !== undefined);
    return (this.#all(sql, values) as FileRow[]).map(({ patientId, issuer, ...file }) => {
      const { sopInstanceUid } = file;
      return { ...file, object: { studyUid, sopInstanceUid, patientId, issuer } };
    });
  }

  /** Returns the UIDs of studies that have served files. */
  #uids(restrictions: readonly Restriction[]): DicomJson[] {
    const sql = `${UIDS}${textOf(restrictions)} ${STARTED_ORDER}`;
    const found = this.#statement(sql)
      .pluck()
      .all(...valuesOf(restrictions)) as string[];
    return found.map((studyUid) => ({ [Tag.StudyInstanceUID]: { vr: 'UI', Value: [studyUid] } }));
  }

  /** Returns studies or series that have served files. @param page limit and offset */
  #above(
    level: keyof typeof LEVELS,
    restrictions: readonly Restriction[],
    page: readonly [limit: number, offset: number],
  ): Row[] {
    const { select, from, where, order } = LEVELS[level];
    const sql = `SELECT ${select} FROM ${from} WHERE ${where}${textOf(restrictions)} ORDER BY ${order} LIMIT ? OFFSET ?`;
    return this.#all(sql, [...valuesOf(restrictions), ...page]) as Row[];
  }

  /** Returns the attributes of the instances of a series as JSON; none if the study has another patient since the row was read. */
  #instances(
    { studyUid, patientId, seriesUid }: Row,
    restrictions: readonly Restriction[],
    limit: number,
  ): string[] {
    const ofPatient = 'AND ? IS (SELECT PatientID FROM study WHERE StudyInstanceUID = ?)';
    const sql = `SELECT i.json ${FILES} ${ofPatient}${textOf(restrictions)} ${FILE_ORDER} LIMIT ?`;
    const values = [studyUid, seriesUid, patientId, studyUid, ...valuesOf(restrictions), limit];
    const found = this.#all(sql, values);
    return (found as { json: string }[]).map(({ json }) => json);
  }

  /** Returns the function that makes a row of the answer. Rows of one study or series follow each other, and share its elements. */
  #datasets(query: SourceQuery): (row: Row, instance: DicomJson) => DicomJson {
    const { level, includeField } = query;
    // PS3.18 §10.6.3.3: rows have all attributes of a level that the URL does not name.
    const wanted = (tag: string): boolean =>
      includeField === 'all' || ALWAYS.includes(tag) || includeField.includes(tag);
    const isWhole = {
      study: level === 'study' || !query.studyUid,
      series: level !== 'instance' || !query.seriesUid,
    };
    let study: { uid: string; elements: DicomJson } | undefined;
    let above: { row: Row; elements: DicomJson } | undefined;
    const elementsOf = (row: Row): DicomJson => {
      if (study?.uid !== row.studyUid)
        study = { uid: row.studyUid, elements: this.#study(row, level !== 'instance') };
      const series = JSON.parse(row.series ?? '{}') as DicomJson;
      if (level === 'series') count(series, Tag.NumberOfSeriesRelatedInstances, row.instancesOfSeries);
      return {
        ...(isWhole.study ? study.elements : pick(study.elements, wanted)),
        ...(isWhole.series ? series : pick(series, wanted)),
      };
    };
    return (row, instance) => {
      if (above?.row !== row) above = { row, elements: elementsOf(row) };
      const result: DicomJson = { ...above.elements, ...instance, [Tag.InstanceAvailability]: AVAILABILITY };
      return Object.fromEntries(Object.entries(result).sort(([a], [b]) => (a < b ? -1 : 1)));
    };
  }

  /** Returns the elements of a study, with the counts of its served files if they are wanted. */
  #study({ studyUid, study: text }: Row, isCounted: boolean): DicomJson {
    const study = JSON.parse(text) as DicomJson;
    if (!isCounted) return study;
    const [counts] = this.#all(STUDY_COUNTS, [studyUid, studyUid]) as [StudyCounts];
    const { modalities, seriesOfStudy, instancesOfStudy } = counts;
    if (modalities) study[Tag.ModalitiesInStudy] = { vr: 'CS', Value: modalities.split('\\') };
    count(study, Tag.NumberOfStudyRelatedSeries, seriesOfStudy);
    count(study, Tag.NumberOfStudyRelatedInstances, instancesOfStudy);
    return study;
  }

  #all(sql: string, values: readonly unknown[]): unknown[] {
    return this.#statement(sql).all(...values);
  }
}

const textOf = (restrictions: readonly Restriction[]): string =>
  restrictions.map(({ sql }) => ` AND ${sql}`).join('');
const valuesOf = (restrictions: readonly Restriction[]) => restrictions.flatMap(({ values }) => values);

function restrictionsOf(query: SourceQuery): Restriction[] {
  const restrictions: Restriction[] = [];
  const uid = (level: Level, tag: string, value: string | undefined): void => {
    if (value !== undefined) restrictions.push({ level, sql: `${tag} = ?`, values: [value] });
  };
  uid('study', 's.StudyInstanceUID', query.studyUid);
  uid('series', 'r.SeriesInstanceUID', query.seriesUid);
  if (query.patientIds) restrictions.push({ level: 'study', ...patients(query.patientIds) });
  for (const [tag, alternatives] of query.match) {
    const found = condition(query.level, tag, alternatives);
    if (found) restrictions.push(found);
  }
  return restrictions;
}

/** Matches PatientIDs exactly (DW-21). An empty one belongs to no patient. */
function patients(ids: readonly { value: string; issuer?: string }[]): Condition {
  const named = ids
    .map(({ value, issuer }) => ({ value: value.trim(), issuer }))
    .filter(({ value }) => value !== '');
  if (named.length === 0) return { sql: '0', values: [] };
  // Those of one issuer are one parameter: there may be thousands, and the text of the statement stays the same.
  // An empty issuer is not the same as any.
  const byIssuer = grouped(named, ({ issuer }) => (issuer === undefined ? undefined : `=${issuer}`));
  const each = [...byIssuer.values()].map((numbers) => {
    const { issuer } = numbers[0]!;
    const values = numbers.map(({ value }) => value);
    const one = values.length === 1;
    const sql = `s.PatientID ${one ? '= ?' : 'IN (SELECT value FROM json_each(?))'}`;
    const value = one ? values[0]! : JSON.stringify(values);
    return issuer === undefined
      ? { sql, values: [value] }
      : { sql: `(${sql} AND s.IssuerOfPatientID = ?)`, values: [value, issuer] };
  });
  return {
    sql: `(${each.map(({ sql }) => sql).join(' OR ')})`,
    values: each.flatMap(({ values }) => values),
  };
}

const AVAILABILITY = Object.freeze({ vr: 'CS', Value: ['ONLINE'] });

function pick(dataset: DicomJson, wanted: (tag: string) => boolean): DicomJson {
  return Object.fromEntries(Object.entries(dataset).filter(([tag]) => wanted(tag)));
}

function count(dataset: DicomJson, tag: string, value: number | undefined): void {
  if (value !== undefined) dataset[tag] = { vr: 'IS', Value: [value] };
}
