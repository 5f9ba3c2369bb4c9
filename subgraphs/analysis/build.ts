import type { DuckDBConnection } from '@duckdb/node-api';
import { Fault } from '../../schema/fault/fault.ts';
import { isDiskFull } from '../../schema/process/disk-full.ts';
import type { DuckDb } from './engine.ts';
import { ParquetTable, sqlTypeText, type TableFile } from './parquet-tables.ts';
import { rowMaker, TableRows, type Refused, type RowsOfView } from './rows.ts';
import type { TableColumn } from './views/column-types.ts';
import { HIDDEN_TABLES, otherTables, RESOURCE_ID, type ViewTable } from './views/tables.ts';
import type { Values } from './views/values.ts';

/** A record, as the clinical subgraph gives it to the build. */
export interface RecordFeed {
  /** Returns all resources of a type as FHIR JSON. */
  texts(type: string): Iterable<string>;
  /** Returns one resource as FHIR JSON. */
  text(type: string, id: string): string | undefined;
  /** Returns the ids of the patients whose tokens find a resource by search. */
  patientsOf(resource: object): readonly string[];
  close(): void;
}

/** An instance of the index of images: its values by the names of their columns. */
export type InstanceRow = Readonly<Record<string, Values>>;

/** The ways from the record to studies, by the rules of docs/joins.md: rows of `link_step` and `link_end`. */
export interface LinkWays {
  steps: readonly object[];
  ends: readonly object[];
}

/** The images and their joins with the record, as the gateway gives them to the build. */
export interface ImageFeed {
  /** All ImagingStudy resources that a search without limits finds. */
  studies(): AsyncIterable<object>;
  instances(): AsyncIterable<InstanceRow>;
  /** Is asked when all others have given everything. */
  links(): LinkWays;
}

export interface BuildSources {
  record: RecordFeed | undefined;
  images: ImageFeed | undefined;
}

/** A table of a dataset. */
export interface BuiltTable {
  name: string;
  /** Of a table whose rows are in reach with a resource: its type, and the column that has its id. */
  of?: { type: string; key: string } | undefined;
  columns: { name: string; type: string; description?: string | undefined }[];
  rows: number;
  bytes: number;
  files: readonly TableFile[];
  /** Values of damaged resources, which are null or left out. */
  refused?: Refused | undefined;
}

/** Resources between two looks whether a file is full, or the build is given up. */
const RESOURCES_TOGETHER = 2_000;

export interface BuildOptions {
  duckdb: DuckDb;
  connection: DuckDBConnection;
  /** Folder of the dataset; it exists. */
  folder: string;
  tables: readonly ViewTable[];
  /** Keywords of `analysis.dicom`. */
  dicom?: readonly string[];
  signal?: AbortSignal | undefined;
}

/**
 * Writes all tables of a dataset as Parquet files.
 * @throws Fault `unavailable` when the disk is full
 */
export async function buildDataset(options: BuildOptions, sources: BuildSources): Promise<BuiltTable[]> {
  try {
    return await new Build(options).run(sources);
  } catch (error) {
    throw isDiskFull(error) ? diskFull(error) : error;
  }
}

/** Returns the fault of a disk without room. */
export function diskFull(cause: unknown): Fault {
  const message =
    'There is no room on the disk of the server for the tables. Those from before are used until there is; the operator makes room in DATA_DIR.';
  return new Fault('unavailable', message, { retryAfter: 60, cause });
}

/** The column of a table whose view has none with the id of the resource. */
const ID_COLUMN: TableColumn = {
  name: RESOURCE_ID,
  sqlType: 'VARCHAR',
  collection: false,
  description: undefined,
};

/** A table that is being written. */
interface Written extends Pick<BuiltTable, 'name' | 'of'> {
  columns: readonly TableColumn[];
  refused: Refused;
  file: ParquetTable;
  rows: TableRows;
}

class Build {
  readonly #options: BuildOptions;
  readonly #built: BuiltTable[] = [];

  constructor(options: BuildOptions) {
    this.#options = options;
  }

  async run({ record, images }: BuildSources): Promise<BuiltTable[]> {
    const { tables } = this.#options;
    const compartment = await this.#open('compartment', HIDDEN_TABLES.compartment);
    for (const type of new Set(tables.map(({ view }) => view.resource))) {
      const made = tables.filter(({ view }) => view.resource === type);
      const written: Written[] = [];
      for (const { name, view, key } of made) {
        const more = key === RESOURCE_ID ? [ID_COLUMN] : [];
        written.push(await this.#open(name, [...view.columns, ...more], { type, key }));
      }
      const all = [...written, compartment];
      const views = made.map(({ view, key }, index) => {
        const { rows, refused } = written[index]!;
        return { view, rows, refused, addsId: key === RESOURCE_ID };
      });
      const add = adder(type, views, compartment.rows);
      // The images say more of a study than the record, and name its studies too.
      if (type === 'ImagingStudy' && images) {
        await this.#all(images.studies(), all, (study) => add(study, subjectOf(study)));
      } else if (record) {
        await this.#all(record.texts(type), all, (text) => {
          const resource = JSON.parse(text) as object;
          add(resource, record.patientsOf(resource));
        });
      }
      for (const table of written) await this.#finish(table);
    }
    await this.#finish(compartment);
    const ofStudy = { type: 'ImagingStudy', key: 'study_id' };
    const { imaging_instance: columns } = otherTables(this.#options.dicom ?? []);
    await this.#other('imaging_instance', columns, images?.instances(), ofStudy);
    const { steps = [], ends = [] } = images?.links() ?? {};
    await this.#other('link_step', HIDDEN_TABLES.link_step, steps);
    await this.#other('link_end', HIDDEN_TABLES.link_end, ends);
    return this.#built;
  }

  /** Takes all of a source; what is full is written in between. */
  async #all<T>(
    source: AsyncIterable<T> | Iterable<T>,
    tables: readonly Written[],
    take: (one: T) => void,
  ): Promise<void> {
    let count = 0;
    const pause = async (): Promise<void> => {
      this.#options.signal?.throwIfAborted();
      for (const { file } of tables) if (file.isFull) await file.write();
    };
    if (Symbol.iterator in source) {
      for (const one of source) {
        take(one);
        if (++count % RESOURCES_TOGETHER === 0) await pause();
      }
      return;
    }
    for await (const one of source) {
      take(one);
      if (++count % RESOURCES_TOGETHER === 0) await pause();
    }
  }

  async #other(
    name: string,
    columns: readonly TableColumn[],
    source: AsyncIterable<object> | Iterable<object> = [],
    of?: BuiltTable['of'],
  ): Promise<void> {
    const table = await this.#open(name, columns, of);
    const row: Values[] = [];
    await this.#all(source, [table], (one) => {
      const values = one as Record<string, Values>;
      for (let at = 0; at < columns.length; at++) row[at] = values[columns[at]!.name];
      table.rows.add(row);
    });
    await this.#finish(table);
  }

  async #open(name: string, columns: readonly TableColumn[], of?: BuiltTable['of']): Promise<Written> {
    const file = new ParquetTable(this.#options, name, columns);
    await file.open();
    const rows = new TableRows(columns, (batch) => file.append(batch));
    return { name, of, columns, file, rows, refused: { values: 0, first: undefined, at: undefined } };
  }

  async #finish({ name, of, columns, file, rows, refused }: Written): Promise<void> {
    rows.flush();
    const files = await file.finish();
    const described = columns
      .filter((column) => column !== ID_COLUMN)
      .map((column) => {
        const { name, description } = column;
        return { name, type: sqlTypeText(column), description };
      });
    const sum = (of: (file: TableFile) => number): number => files.reduce((all, one) => all + of(one), 0);
    const size = { rows: sum((one) => one.rows), bytes: sum((one) => one.bytes) };
    const damaged = refused.values > 0 ? refused : undefined;
    this.#built.push({ name, of, columns: described, ...size, files, refused: damaged });
  }
}

/** Returns a function that adds one resource to its tables, and its patients to the compartment. */
function adder(
  type: string,
  views: readonly RowsOfView[],
  compartment: TableRows,
): (resource: object, patients: readonly string[]) => void {
  const make = rowMaker(views);
  return (resource, patients) => {
    make(resource);
    const { id } = resource as { id?: string };
    for (const patient of patients) compartment.add([type, id, patient]);
  };
}

/** Returns the patient of a study. */
function subjectOf(study: object): readonly string[] {
  const { reference = '' } = (study as { subject?: { reference?: string } }).subject ?? {};
  return reference.startsWith('Patient/') ? [reference.slice('Patient/'.length)] : [];
}
