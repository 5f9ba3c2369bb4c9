import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { Access } from '../../../schema/access/access.ts';
import { Fault, toFault } from '../../../schema/fault/fault.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { ownerOf, stillReaches } from './exported-reach.ts';
import { JOB_ID, JobFolders, type ExportedFile, type Job, type JobKind } from './job-folder.ts';

/** Limits of the exports of one gateway. */
export interface ExportLimits {
  /** Exports at the same time, of all clients and of one. */
  running: number;
  runningOfClient: number;
  /** Bytes of all files, and seconds for which finished ones are kept. */
  bytes: number;
  seconds: number;
}

export const EXPORT_LIMITS: ExportLimits = {
  running: 4,
  runningOfClient: 2,
  bytes: 10 * 1024 ** 3,
  seconds: 2 * 3600,
};

/** Finished exports of one client that are kept. */
const KEPT_OF_CLIENT = 20;
const SWEEP_MILLISECONDS = 60_000;
const RETRY_SECONDS = 60;

/** The place for the files of an export. */
export interface ExportOutput {
  /** Absolute path of a folder that exists. */
  folder: string;
  /** Is called before bytes are written. @throws Fault `too_large` when there is no room for them */
  takeRoom(bytes: number): void;
}

/** Writes the files of an export, and returns them. @throws Fault when it cannot be complete */
export type ExportWork = (
  output: ExportOutput,
  signal: AbortSignal,
  onProgress: (done: number) => void,
) => Promise<readonly ExportedFile[]>;

/** An export that begins. */
export interface DescribedExport extends Pick<Job, 'request' | 'reach' | 'details'> {
  /** By default `export`. */
  kind?: JobKind;
  /** Least seconds for which its files are kept. */
  seconds?: number;
}

interface Running {
  controller: AbortController;
  ended: Promise<void>;
  /** From 0 to 1. */
  done: number;
  began: number;
  bytes: number;
}

interface ExportJobsOptions {
  /** Folder of the exports. */
  folder: string;
  limits: ExportLimits;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/**
 * The exports of one gateway: begins them, keeps their files for a limited time, and gives them to the client that began
 * them only. An export that was not finished when the process ended has failed.
 */
export class ExportJobs {
  readonly #folders: JobFolders;
  readonly #limits: ExportLimits;
  readonly #now: () => number;
  readonly #jobs = new Map<string, Job>();
  readonly #running = new Map<string, Running>();
  readonly #ready: Promise<void>;
  readonly #sweeping: NodeJS.Timeout;
  #closed = false;

  constructor({ folder, limits, now }: ExportJobsOptions) {
    this.#folders = new JobFolders(folder);
    this.#limits = limits;
    this.#now = now;
    this.#ready = this.#load();
    // The next request reports it.
    this.#ready.catch(() => {});
    this.#sweeping = setInterval(() => void this.sweep().catch(() => {}), SWEEP_MILLISECONDS).unref();
  }

  /** Takes over what the last process left. */
  async #load(): Promise<void> {
    for (const job of await this.#folders.list()) {
      this.#jobs.set(job.id, job);
      if (job.state === 'running') {
        await this.#fail(job, 'the server was restarted. Start the export again.');
        await this.#folders.removeData(job.id);
      }
    }
    await this.#removeExpired();
  }

  /**
   * Begins an export. It runs on after the request.
   * @returns its id
   * @throws Fault `too_many_requests` when there are too many, or their files take too much room
   */
  async start(
    access: Access,
    { kind = 'export', seconds = 0, ...described }: DescribedExport,
    work: ExportWork,
  ): Promise<string> {
    await this.sweep();
    const owner = ownerOf(access);
    this.#requireRoom(owner, kind);
    const id = randomBytes(16).toString('hex');
    const began = this.#now();
    const job: Job = {
      id,
      kind,
      owner,
      seconds: Math.max(seconds, this.#limits.seconds),
      ...described,
      transactionTime: new Date(began).toISOString(),
      state: 'running',
      files: [],
    };
    const controller = new AbortController();
    const running: Running = { controller, began, done: 0, bytes: 0, ended: Promise.resolve() };
    this.#jobs.set(id, job);
    this.#running.set(id, running);
    try {
      await this.#folders.create(job);
    } catch (error) {
      this.#jobs.delete(id);
      this.#running.delete(id);
      throw error;
    }
    running.ended = this.#run(job, running, work);
    return id;
  }

  #requireRoom(owner: string, kind: JobKind): void {
    if (this.#closed) throw new Fault('unavailable', 'The server is stopping.', { retryAfter: 5 });
    const own = [...this.#jobs.values()].filter((job) => job.owner === owner);
    const ownRunning = own.filter(({ id }) => this.#running.has(id));
    const details = { retryAfter: RETRY_SECONDS };
    if (ownRunning.length >= this.#limits.runningOfClient || this.#running.size >= this.#limits.running) {
      throw new Fault(
        'too_many_requests',
        'Too many exports are running. Try again when one has ended.',
        details,
      );
    }
    if (own.length >= KEPT_OF_CLIENT || !this.#hasRoom(kind)) {
      const message =
        'The files of earlier exports take too much room. Delete exports that are no longer needed.';
      throw new Fault('too_many_requests', message, details);
    }
  }

  /** Tells whether there is room for so many bytes more. A caller makes the files of SQL as large as it likes: they get the half. */
  #hasRoom(kind: JobKind, more = 1): boolean {
    const { bytes } = this.#limits;
    const hasShare = kind === 'export' || this.#bytesOf(kind) + more <= bytes / 2;
    return hasShare && this.#bytesOf() + more <= bytes;
  }

  /** Returns the bytes of all files of a kind, or of all, those that are being written included. */
  #bytesOf(kind?: JobKind): number {
    const jobs = [...this.#jobs.values()].filter((job) => kind === undefined || job.kind === kind);
    const kept = jobs.flatMap(({ files }) => files.map(({ bytes }) => bytes));
    const written = jobs.map(({ id }) => this.#running.get(id)?.bytes ?? 0);
    return [...kept, ...written].reduce((sum, bytes) => sum + bytes, 0);
  }

  async #run(job: Job, running: Running, work: ExportWork): Promise<void> {
    const { signal } = running.controller;
    const output: ExportOutput = {
      folder: this.#folders.path(job.id),
      takeRoom: (bytes) => {
        if (!this.#hasRoom(job.kind ?? 'export', bytes)) throw tooLarge();
        running.bytes += bytes;
      },
    };
    try {
      const files = await work(output, signal, (done) => void (running.done = done));
      signal.throwIfAborted();
      Object.assign(job, { state: 'complete', files, ...this.#endOf(job) });
      await this.#folders.describe(job);
    } catch (error) {
      const stopped = signal.aborted
        ? 'the server was stopped. Start the export again.'
        : toFault(error).message;
      await this.#fail(job, stopped);
      await this.#folders.removeData(job.id).catch(() => {});
    } finally {
      this.#running.delete(job.id);
      // It was deleted while it ran.
      if (!this.#jobs.has(job.id)) await this.#folders.remove(job.id).catch(() => {});
    }
  }

  /** A failure counts also when it cannot be written down: the next process finds an export that did not end. */
  async #fail(job: Job, failure: string): Promise<void> {
    Object.assign(job, { state: 'failed', failure, files: [], ...this.#endOf(job) });
    await this.#folders.describe(job).catch(() => {});
  }

  #endOf({ seconds = this.#limits.seconds }: Job): Pick<Job, 'ended' | 'expires'> {
    const ended = this.#now();
    return { ended, expires: ended + seconds * 1000 };
  }

  /**
   * Returns an export of this client.
   * @throws Fault `not_found` for one that does not exist, has expired, is another client's, or has more than this token
   *   reaches now, or of another kind: the same for all
   */
  async find(
    access: Access,
    id: string,
    kind: JobKind = 'export',
  ): Promise<Job & { running?: { done: number; seconds: number } }> {
    await this.#ready;
    const job = JOB_ID.test(id) ? this.#jobs.get(id) : undefined;
    const isExpired = job?.expires !== undefined && job.expires <= this.#now();
    if (
      !job ||
      isExpired ||
      (job.kind ?? 'export') !== kind ||
      job.owner !== ownerOf(access) ||
      !stillReaches(access, job.reach)
    ) {
      throw noSuchResource();
    }
    const running = this.#running.get(id);
    if (!running) return { ...job };
    const seconds = (this.#now() - running.began) / 1000;
    return { ...job, state: 'running', running: { done: running.done, seconds } };
  }

  /**
   * Returns a finished file of an export of this client.
   * @throws Fault `not_found` like `find`, and for another name; `internal` when the file is not as it was written
   */
  async file(
    access: Access,
    id: string,
    name: string,
    kind?: JobKind,
  ): Promise<{ path: string; file: ExportedFile; expires: number }> {
    const job = await this.find(access, id, kind);
    const file = job.state === 'complete' ? job.files.find((one) => one.name === name) : undefined;
    if (!file) throw noSuchResource();
    const path = this.#folders.path(id, file.name);
    const { size } = await stat(path).catch(() => ({ size: -1 }));
    if (size !== file.bytes) {
      throw new Fault('internal', 'The file of the export is damaged. Start the export again.');
    }
    return { path, file, expires: job.expires! };
  }

  /** Ends an export of this client and removes its files. @throws Fault `not_found` like `find` */
  async remove(access: Access, id: string, kind?: JobKind): Promise<void> {
    await this.find(access, id, kind);
    await this.#drop(id);
  }

  async #drop(id: string): Promise<void> {
    this.#jobs.delete(id);
    const running = this.#running.get(id);
    running?.controller.abort();
    if (!running) await this.#folders.remove(id);
  }

  /** Removes what has expired. */
  async sweep(): Promise<void> {
    await this.#ready;
    await this.#removeExpired();
  }

  async #removeExpired(): Promise<void> {
    for (const { id, expires } of this.#jobs.values()) {
      if (expires !== undefined && expires <= this.#now()) await this.#drop(id);
    }
  }

  /** Ends all exports that run; they have then failed. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeping);
    for (const { controller } of this.#running.values()) controller.abort();
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    await this.#ready.catch(() => {});
  }
}

function tooLarge(): Fault {
  return new Fault(
    'too_large',
    'There is no room for the files of this export: ask for less, for example with _type, _since or WHERE, or delete earlier exports.',
  );
}
