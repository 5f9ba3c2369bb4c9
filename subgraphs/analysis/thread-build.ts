import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DicomJson } from '../../schema/dicom/dicom.ts';
import type { JoinRule } from '../../schema/fhir/accession-types.ts';
import type { StudyKeys } from '../../schema/fhir/study-match.ts';
import {
  buildDataset,
  type BuiltTable,
  type ImageFeed,
  type InstanceRow,
  type LinkWays,
  type RecordFeed,
} from './build.ts';
import { loadEngine } from './engine.ts';
import { failedBy, type Failed } from './failed.ts';
import { isGivenUp, pulled } from './feeds.ts';
import type { FoundInstance, FoundStudy } from './sources.ts';
import type { ThreadBuild } from './threads.ts';
import { dicomColumns, dicomValue, type DicomColumn } from './views/dicom-columns.ts';
import { tablesOf } from './views/tables.ts';
import type { Values } from './views/values.ts';

/** The other parts, as a build reads them. The composition root of the thread gives them. */
export interface BuildParts {
  openRecord(file: string): RecordFeed;
  instancesIn(file: string): Iterable<FoundInstance>;
  /** Types of the record that are on ways to studies. */
  linkedTypes: readonly string[];
  links(joins: JoinRule): LinkFinder;
}

/** Finds the ways from a record to studies. */
export interface LinkFinder {
  /** @param json a resource of one of the linked types; each is given once */
  add(type: string, json: string): void;
  /** Takes the resources that it still needs, when all others were added. */
  complete(textOf: (type: string, id: string) => string | undefined): void;
  /** UIDs of which it is not known whether they are those of a study, a series or an instance. */
  objectUids(): ReadonlySet<string>;
  ways(
    studiesOf: (patientId: string) => readonly StudyKeys[],
    studiesOfObject: (uid: string) => readonly string[],
  ): LinkWays;
}

/** Resources between two looks whether the build is given up. */
const LOOK_AFTER = 256;
/** Memory of the engine. What it has to sort is on the disk. */
const MEMORY = '256MB';

/** Builds a dataset, in a thread of its own. It never throws. */
export async function runBuild(
  task: ThreadBuild,
  parts: BuildParts,
): Promise<{ tables: readonly BuiltTable[] } | Failed> {
  try {
    return { tables: await built(task, parts) };
  } catch (error) {
    return failedBy(error);
  } finally {
    task.feeds.close();
  }
}

async function built(task: ThreadBuild, parts: BuildParts): Promise<readonly BuiltTable[]> {
  const duckdb = await loadEngine();
  const temporary = join(task.folder, 'temporary');
  const instance = await duckdb.DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: MEMORY,
    temp_directory: temporary,
  });
  const connection = await instance.connect();
  const feed = new TenantFeed(task, parts);
  try {
    const { folder, dicom } = task;
    const options = { duckdb, connection, folder, tables: tablesOf(task.views), dicom };
    return await buildDataset(options, { record: feed.record, images: feed.images });
  } finally {
    feed.record?.close();
    connection.closeSync();
    instance.closeSync();
    await rm(temporary, { recursive: true, force: true });
  }
}

/** The record and the images of a tenant, as a build takes them. Ways to studies are looked for on the way. */
class TenantFeed {
  readonly record: RecordFeed | undefined;
  readonly images: ImageFeed;
  readonly #task: ThreadBuild;
  readonly #parts: BuildParts;
  /** Columns of instances that the tenant has asked for. */
  readonly #dicom: readonly DicomColumn[];
  readonly #links: LinkFinder | undefined;
  /** Types whose resources the finder of ways still needs. */
  readonly #unread: Set<string>;
  /** The studies of each patient. */
  readonly #studies = new Map<string, StudyKeys[]>();
  /** Logical id of the patient of each study. */
  readonly #patients = new Map<string, string | undefined>();
  /** UIDs that the record names, with the studies that have them. */
  #objects = new Map<string, string[]>();

  constructor(task: ThreadBuild, parts: BuildParts) {
    this.#task = task;
    this.#parts = parts;
    this.#dicom = dicomColumns(task.dicom);
    const record = task.record && parts.openRecord(task.record.file);
    this.#links = task.record && parts.links(task.record.joins);
    this.#unread = new Set(task.record ? parts.linkedTypes : []);
    this.record = record && {
      texts: (type) => this.#texts(record, type),
      text: (type, id) => record.text(type, id),
      patientsOf: (resource) => record.patientsOf(resource),
      close: () => record.close(),
    };
    this.images = {
      studies: () => this.#allStudies(),
      instances: () => this.#instances(),
      links: () => this.#ways(),
    };
  }

  *#texts(record: RecordFeed, type: string): Generator<string> {
    const links = this.#unread.delete(type) ? this.#links : undefined;
    for (const text of record.texts(type)) {
      this.#count();
      links?.add(type, text);
      yield text;
    }
  }

  async *#allStudies(): AsyncGenerator<object> {
    // The UIDs that the record names have to be known before the images are read.
    for (const type of this.#unread) exhaust(this.record?.texts(type) ?? []);
    this.#links?.complete((type, id) => this.record?.text(type, id));
    this.#objects = new Map([...(this.#links?.objectUids() ?? [])].map((uid) => [uid, []]));
    for await (const batch of pulled<FoundStudy>(this.#task.feeds, 'studies')) {
      for (const { json, keys } of batch) {
        this.#count();
        const study = JSON.parse(json) as { series?: { uid?: string }[] };
        this.#note(keys, study.series ?? []);
        yield study;
      }
    }
  }

  #note(keys: StudyKeys, series: readonly { uid?: string }[]): void {
    const { id, _patientId: patientId } = keys;
    this.#patients.set(id, patientId ?? undefined);
    if (!patientId) return;
    const known = this.#studies.get(patientId);
    if (known) known.push(keys);
    else this.#studies.set(patientId, [keys]);
    for (const uid of [id, ...series.map(({ uid }) => uid ?? '')]) this.#objects.get(uid)?.push(id);
  }

  async *#instances(): AsyncGenerator<InstanceRow> {
    const { indexes } = this.#task;
    // Archives may have copies of one instance; a folder serves only one.
    const seen = indexes.length === 1 ? undefined : new Set<string>();
    for (const file of indexes) {
      for (const one of this.#parts.instancesIn(file)) {
        const row = this.#instance(one, seen);
        if (row) yield row;
      }
    }
    for await (const batch of pulled<FoundInstance>(this.#task.feeds, 'instances')) {
      for (const one of batch) {
        const row = this.#instance(one, seen);
        if (row) yield row;
      }
    }
  }

  /** Returns an instance of a study that a search finds; undefined for others, and for copies. */
  #instance(one: FoundInstance, seen: Set<string> | undefined): InstanceRow | undefined {
    const { id, study_id, series_id, sop_class, number, frames, rows, columns, more } = one;
    this.#count();
    if (!this.#patients.has(study_id)) return undefined;
    if (seen) {
      const name = `${series_id} ${id}`;
      if (seen.has(name)) return undefined;
      seen.add(name);
    }
    this.#objects.get(id)?.push(study_id);
    return {
      id,
      patient_id: this.#patients.get(study_id),
      study_id,
      series_id,
      sop_class: sop_class ?? undefined,
      number: integer(number),
      frames: integer(frames),
      rows: integer(rows),
      columns: integer(columns),
      ...(more ? this.#attributes(JSON.parse(more) as DicomJson) : undefined),
    };
  }

  #attributes(attributes: DicomJson): Record<string, Values> {
    return Object.fromEntries(this.#dicom.map((column) => [column.name, dicomValue(column, attributes)]));
  }

  #ways(): LinkWays {
    const ways = this.#links?.ways(
      (patientId) => this.#studies.get(patientId) ?? [],
      (uid) => this.#objects.get(uid) ?? [],
    );
    return ways ?? { steps: [], ends: [] };
  }

  /** @throws Error when the build is given up */
  #count(): void {
    const count = Atomics.add(this.#task.state, 1, 1);
    if (count % LOOK_AFTER === 0 && isGivenUp(this.#task)) throw new Error('The build was given up.');
  }
}

function exhaust(texts: Iterable<string>): void {
  const reading = texts[Symbol.iterator]();
  while (!reading.next().done);
}

/** A number of DICOM may be none that a column can have. */
const integer = (value: number | null | undefined): number | undefined =>
  Number.isInteger(value) && Math.abs(value!) < 2 ** 31 ? value! : undefined;
