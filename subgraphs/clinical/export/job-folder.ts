import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportedReach } from './exported-reach.ts';

/** One finished file of an export. */
export interface ExportedFile {
  /** Name in the folder of the export: `Observation.ndjson`. It may have folders in it. */
  name: string;
  /** Resource type of all its lines, or the name of the answer that it is of. */
  type: string;
  /** Lines, or rows. */
  count: number;
  bytes: number;
}

/** The operation that began an export: `$export` or `$sql-export`. */
export type JobKind = 'export' | 'sql-export';

/** Ids of exports: 128 random bits. */
export const JOB_ID = /^[0-9a-f]{32}$/;

/** An export, as its folder describes it. */
export interface Job {
  id: string;
  /** Undefined for one of an older version, which is an `export`. */
  kind?: JobKind;
  /** Key of the client. */
  owner: string;
  /** URL of the request that began it. */
  request: string;
  /** FHIR instant at which it began. */
  transactionTime: string;
  reach: ExportedReach;
  state: 'running' | 'complete' | 'failed';
  /** Of a failed one, for the client. */
  failure?: string;
  /** Of a complete one. */
  files: readonly ExportedFile[];
  /** Data that the operation keeps for its answers. */
  details?: unknown;
  /** Seconds for which it is kept after its end. */
  seconds?: number;
  /** Milliseconds since the epoch at which it ended, and after which it is removed; undefined while it runs. */
  ended?: number;
  expires?: number;
}

const DESCRIPTION = 'export.json';

/** The folders of exports below DATA_DIR. One process uses them. */
export class JobFolders {
  readonly #root: string;

  /** @param root absolute path; created when needed */
  constructor(root: string) {
    this.#root = root;
  }

  /** Returns the path of a file. @param id matches `JOB_ID` @param name is one of the job's own files */
  path(id: string, name = ''): string {
    return join(this.#root, id, name);
  }

  async create(job: Job): Promise<void> {
    await mkdir(this.path(job.id), { recursive: true, mode: 0o700 });
    await this.describe(job);
  }

  /** Replaces the description at once, so that none is half written. */
  async describe(job: Job): Promise<void> {
    const file = this.path(job.id, DESCRIPTION);
    await writeFile(`${file}.new`, JSON.stringify(job), { mode: 0o600, flush: true });
    await rename(`${file}.new`, file);
  }

  async remove(id: string): Promise<void> {
    await rm(this.path(id), { recursive: true, force: true });
  }

  /** Removes the data files of an export, and keeps its description. */
  async removeData(id: string): Promise<void> {
    const names = await readdir(this.path(id)).catch(() => []);
    const data = names.filter((name) => name !== DESCRIPTION);
    await Promise.all(data.map((name) => rm(this.path(id, name), { recursive: true, force: true })));
  }

  /** Returns the exports of the last process. What cannot be read is removed. */
  async list(): Promise<Job[]> {
    const names = await readdir(this.#root).catch(() => []);
    const jobs = await Promise.all(
      names
        .filter((name) => JOB_ID.test(name))
        .map(async (id) => {
          try {
            return JSON.parse(await readFile(this.path(id, DESCRIPTION), 'utf8')) as Job;
          } catch {
            await this.remove(id);
            return undefined;
          }
        }),
    );
    return jobs.filter((job) => job !== undefined);
  }
}
