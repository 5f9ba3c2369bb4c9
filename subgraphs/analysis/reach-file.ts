import type { DuckDBConnection } from '@duckdb/node-api';
import { chmod, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDiskFull } from '../../schema/process/disk-full.ts';
import { diskFull } from './build.ts';
import { loadEngine } from './engine.ts';
import { failedBy, type Failed } from './failed.ts';

/** A table of a dataset, as it is copied into a reach. */
export interface ReachTable {
  name: string;
  columns: readonly string[];
  /** Paths below the folder of the dataset. */
  files: readonly string[];
  of: { type: string; key: string };
}

/** The file of one caller: exactly the rows whose resources are in reach. All of it is plain data. */
export interface ReachTask {
  /** The file that is made. */
  file: string;
  /** Folder of the dataset. */
  folder: string;
  tables: readonly ReachTable[];
  /** Files of the hidden tables. */
  hidden: Readonly<Record<'compartment' | 'link_step' | 'link_end', readonly string[]>>;
  /** Logical ids of the patients in reach; undefined: all. */
  patients: readonly string[] | undefined;
  /** Ids of the studies in reach; undefined: no table of them is made. */
  studies: readonly string[] | 'all' | undefined;
  /** Of types that granular scopes narrow: the ids that they find. */
  granular: Readonly<Record<string, readonly string[]>>;
  /** Types of the resources whose studies are shown, and of those on the way; undefined: no `study_link`. */
  links: LinkedTypes | undefined;
}

/** A type of which all resources of the patients in reach count, or only those that granular scopes find. */
export interface LinkedType {
  type: string;
  narrowed: boolean;
}

export interface LinkedTypes {
  /** The resources whose studies are shown. */
  from: readonly LinkedType[];
  /** Those on the way to which a search leads, and those that are read. */
  found: readonly LinkedType[];
  read: readonly LinkedType[];
}

/** Memory of the engine. */
const MEMORY = '256MB';

/** Makes the file of a reach, in a thread. It never throws. */
export async function makeReach(task: ReachTask): Promise<Failed | undefined> {
  const making = `${task.file}.making`;
  try {
    const { DuckDBInstance } = await loadEngine();
    const options = { threads: '1', memory_limit: MEMORY, temp_directory: `${making}.temporary` };
    const instance = await DuckDBInstance.create(making, options);
    try {
      await chmod(making, 0o600);
      const connection = await instance.connect();
      await new ReachFile(connection, task).write();
      await connection.run('CHECKPOINT');
      connection.closeSync();
    } finally {
      instance.closeSync();
    }
    await rename(making, task.file);
    return undefined;
  } catch (error) {
    return failedBy(isDiskFull(error) ? diskFull(error) : error);
  } finally {
    for (const suffix of ['', '.wal', '.temporary'])
      await rm(making + suffix, { recursive: true, force: true });
  }
}

class ReachFile {
  readonly #connection: DuckDBConnection;
  readonly #task: ReachTask;

  constructor(connection: DuckDBConnection, task: ReachTask) {
    this.#connection = connection;
    this.#task = task;
  }

  async write(): Promise<void> {
    const { patients, studies, granular, tables, links } = this.#task;
    if (patients) await this.#set('patients', patients);
    if (studies && studies !== 'all') await this.#set('studies', studies);
    for (const [type, ids] of Object.entries(granular)) await this.#set(`ids of ${type}`, ids);
    for (const table of tables) await this.#copy(table);
    if (links) await this.#link(links);
  }

  /** Puts ids into a table of the engine's memory. */
  async #set(name: string, ids: readonly string[]): Promise<void> {
    await this.#connection.run(`CREATE TEMP TABLE ${quoted(name)} (id VARCHAR)`);
    const appender = await this.#connection.createAppender(name, 'main', 'temp');
    for (const id of ids) {
      appender.appendVarchar(id);
      appender.endRow();
    }
    appender.closeSync();
  }

  async #copy({ name, columns, files, of }: ReachTable): Promise<void> {
    const key = quoted(of.key);
    const conditions = of.type === 'ImagingStudy' ? this.#ofStudies(key) : this.#conditions(of.type, key);
    const rows = `SELECT ${columns.map(quoted).join(', ')} FROM ${this.#parquet(files)}`;
    await this.#connection.run(`CREATE TABLE ${quoted(name)} AS ${rows}${where(conditions)}`);
  }

  /** Returns the condition that a study is in reach. @param id column of its id */
  #ofStudies(id: string): string[] {
    return this.#task.studies === 'all' ? [] : [isIn(id, 'studies')];
  }

  /** Returns the conditions that a resource of the record is in reach. @param id column of its id */
  #conditions(type: string, id: string): string[] {
    const { patients, granular, hidden } = this.#task;
    const found = `SELECT id FROM ${this.#parquet(hidden.compartment)} WHERE type = ${literal(type)} AND ${isIn('patient_id', 'patients')}`;
    return [
      ...(patients ? [`${id} IN (${found})`] : []),
      ...(granular[type] ? [isIn(id, `ids of ${type}`)] : []),
    ];
  }

  /**
   * Makes `study_link`: from each resource in reach all ways are gone whose resources are all in reach (docs/joins.md). A way
   * stays with one patient.
   */
  async #link({ from, found, read }: LinkedTypes): Promise<void> {
    const { hidden, patients } = this.#task;
    const step = this.#parquet(hidden.link_step);
    const end = this.#parquet(hidden.link_end);
    const inReach = [
      '(NOT stop.own OR (way.type = way.at_type AND way.id = way.at_id))',
      ...this.#ofStudies('stop.study_id'),
      ...(patients ? [isIn('stop.patient_id', 'patients')] : []),
    ];
    await this.#connection.run(`CREATE TABLE study_link AS
      WITH RECURSIVE way (type, id, at_type, at_id) AS (
        SELECT DISTINCT type, id, type, id
        FROM (SELECT type, id FROM ${step} UNION ALL SELECT type, id FROM ${end})
        WHERE ${this.#isOf(from, 'type', 'id')}
        UNION
        SELECT way.type, way.id, step.to_type, step.to_id
        FROM way JOIN ${step} AS step ON step.type = way.at_type AND step.id = way.at_id
        WHERE (NOT step.own OR (way.type = way.at_type AND way.id = way.at_id))
          AND ((step.read AND ${this.#isOf(read, 'step.to_type', 'step.to_id')})
            OR (NOT step.read AND ${this.#isOf(found, 'step.to_type', 'step.to_id')})))
      SELECT way.type AS type, way.id AS resource_id, stop.patient_id, stop.study_id, max(stop.rule) AS rule
      FROM way JOIN ${end} AS stop ON stop.type = way.at_type AND stop.id = way.at_id${where(inReach)}
      GROUP BY ALL ORDER BY ALL`);
  }

  /** Returns the condition that a resource is of one of some types, and in what granular scopes find. */
  #isOf(types: readonly LinkedType[], type: string, id: string): string {
    const alternatives = types.map((one) => {
      const isOne = `${type} = ${literal(one.type)}`;
      return one.narrowed ? `(${isOne} AND ${isIn(id, `ids of ${one.type}`)})` : isOne;
    });
    return alternatives.length > 0 ? `(${alternatives.join(' OR ')})` : 'false';
  }

  #parquet(files: readonly string[]): string {
    const { folder } = this.#task;
    return `read_parquet([${files.map((file) => literal(join(folder, file))).join(', ')}], hive_partitioning = false)`;
  }
}

const isIn = (column: string, set: string): string => `${column} IN (SELECT id FROM temp.${quoted(set)})`;

const where = (conditions: readonly string[]): string =>
  conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '';

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
