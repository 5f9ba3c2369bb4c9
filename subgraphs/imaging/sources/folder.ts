import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import { OBJECT_ELEMENTS, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { mapInTurns } from '../../../schema/process/event-loop.ts';
import { serverStopping, noSuchObject } from '../../../schema/fault/refusals.ts';
import { EMPTY_IS_AWAY } from '../../../schema/tenant/tenant-file.ts';
import { BufferPool } from '../multipart/buffer-pool.ts';
import { notInTransferSyntax } from './not-in-transfer-syntax.ts';
import { metadataBytes } from './metadata-bytes.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import { ParsingThreads } from '../threads/parsing-threads.ts';
import { prefetch } from '../pixels/prefetch.ts';
import { PixelPool } from '../threads/pool.ts';
import { canGive } from '../pixels/plan-transcoding.ts';
import { openDatabase } from './folder/database.ts';
import { FolderIndex } from './folder/folder-index.ts';
import { InstanceReader } from './stored/instance-reader.ts';
import { OtherObject } from './folder/indexed-object.ts';
import { FolderPresence } from './folder/presence.ts';
import type { FolderOptions } from './folder/folder-options.ts';
import { Scanner } from './folder/scanner.ts';
import type { FolderLog } from './folder/folder-log.ts';
import { IndexSearch, type IndexedInstance } from './folder/search.ts';
import { streamRange } from './stored/stored-file.ts';
import { FolderWatcher } from './folder/watcher.ts';
import { FrameTables } from './stored/frame-tables.ts';
import { awayFault } from './source-state.ts';
import { stampOf } from './stored/stamp.ts';
import type {
  BulkData,
  CountedBy,
  Frames,
  ImagingSource,
  InstanceTarget,
  SourceQuery,
  StoredInstance,
  StudyCount,
  Target,
} from './source.ts';

/**
 * Milliseconds between walks of the whole folder, which find changes that the watcher does not get, as on network
 * shares. The time between two walks is at least twenty times the duration of a walk.
 */
const WALK_EVERY = 60_000;
const WALK_SHARE = 20;

/** Milliseconds between checks that the folder is there. */
const LOOK_EVERY = 1000;

/** A source for a folder. */
export interface FolderSource extends ImagingSource {
  /** Settles when the index first matches the folder after opening. */
  readonly indexed: Promise<void>;
}

/**
 * Opens a directory tree of DICOM files (DW-17), with or without preamble, at any depth. Other files are ignored.
 * Resolves at once, and updates the index in the background. Meanwhile an index of an earlier run answers requests;
 * without one they wait a little, then get Fault `unavailable` with `retryAfter`. All requests get this fault while the
 * folder is away (DW-23), also at the start.
 * @throws when the index file cannot be written
 */
export async function openFolder(options: FolderOptions): Promise<FolderSource> {
  const root = resolve(options.path);
  return new Folder(root, openDatabase(options.indexFile, root, options.more), options);
}

class Folder implements FolderSource {
  readonly stampsFrames = true;
  readonly indexFile: string;
  readonly indexed: Promise<void>;
  readonly #root: string;
  readonly #database: Database.Database;
  readonly #index: FolderIndex;
  readonly #search: IndexSearch;
  readonly #scanner: Scanner;
  readonly #watcher: FolderWatcher | undefined;
  readonly #log: FolderLog;
  readonly #pixels: PixelPool;
  readonly #ownPixels: PixelPool | undefined;
  readonly #patience: number;
  readonly #closing = new AbortController();
  readonly #buffers = new BufferPool();
  readonly #ownThreads: ParsingThreads | undefined;
  readonly #reader: InstanceReader;
  readonly #frameTables: FrameTables;
  readonly #interval: NodeJS.Timeout;
  readonly #presence: FolderPresence;
  readonly #walkEvery: number;
  #setIndexed = (): void => undefined;
  /** Settles when it is known whether the folder is there. */
  readonly #started: Promise<void>;
  /** The running check of whether a folder that was away is back. */
  #rechecking: Promise<void> | undefined;
  readonly #onOtherObject: (() => void) | undefined;
  /** The running walk. Walks run one after another. */
  #work: Promise<void> = Promise.resolve();
  /** Paths for the next walk. */
  readonly #changed = new Set<string>();
  /** Time of the next walk of the whole folder, by `performance.now()`. */
  #nextWalk = Infinity;

  constructor(root: string, database: Database.Database, options: FolderOptions) {
    this.#root = root;
    this.indexFile = options.indexFile;
    this.#database = database;
    this.#log = options.log;
    this.#onOtherObject = options.onOtherObject;
    this.#ownPixels = options.pixels ? undefined : new PixelPool();
    this.#pixels = options.pixels ?? this.#ownPixels!;
    this.#ownThreads = options.parsing ? undefined : new ParsingThreads();
    const parsing = options.parsing ?? { threads: this.#ownThreads!, objectElements: OBJECT_ELEMENTS };
    this.#reader = new InstanceReader(parsing);
    this.#frameTables = new FrameTables(this.#reader, this.#buffers);
    this.#patience = options.patience ?? 3000;
    this.#index = new FolderIndex(database);
    this.#search = new IndexSearch(database);
    const { signal } = this.#closing;
    const { log, more, onProgress, emptyIsAway = EMPTY_IS_AWAY, confirmAfter } = options;
    if (options.watch ?? true) this.#watcher = new FolderWatcher(root, log, (paths) => this.#enqueue(paths));
    this.#presence = new FolderPresence({
      path: root,
      index: this.#index,
      emptyIsAway,
      log,
      onAway: () => this.#watcher?.clear(),
      onBack: () => this.#enqueue(['']),
    });
    this.#scanner = new Scanner({
      root,
      index: this.#index,
      presence: this.#presence,
      log,
      more,
      onProgress,
      signal,
      parsing,
      confirmAfter,
      onDirectory: (directory) => this.#watcher?.add(directory),
      onGone: (path) => this.#watcher?.drop(path),
    });
    this.#walkEvery = options.walkEvery ?? WALK_EVERY;
    this.indexed = new Promise((resolve) => (this.#setIndexed = resolve));
    this.#started = this.#recheck();
    this.#enqueue(['']);
    this.#interval = setInterval(() => this.#lookAround(), LOOK_EVERY).unref();
  }

  async search(query: SourceQuery, signal?: AbortSignal): Promise<DicomJson[]> {
    await this.#ready(signal);
    return this.#search.rows(query);
  }

  async counts(by: CountedBy, signal?: AbortSignal): Promise<StudyCount[]> {
    await this.#ready(signal);
    return this.#search.counts(by);
  }

  get isFirstRead(): boolean {
    return !this.#closing.signal.aborted && this.#presence.isThere && !this.#index.complete;
  }

  /** Returns the generation of the index; undefined while requests are refused or wait. */
  generation(): string | undefined {
    const isReady = !this.#closing.signal.aborted && this.#index.complete && this.#presence.isThere;
    return isReady ? this.#index.generation() : undefined;
  }

  async metadata(target: Target, signal?: AbortSignal): Promise<ObjectMetadata[]> {
    const instances = await this.#instances(target, signal);
    // Checked first, because the last of a thousand objects may be one that was refused before.
    await mapInTurns(
      instances,
      (instance) => this.#reader.throwIfRefused(this.#path(instance), instance),
      () => signal?.throwIfAborted(),
    );
    const counted = metadataBytes();
    const found: ObjectMetadata[] = [];
    const read = async (number: number): Promise<ObjectMetadata> => {
      signal?.throwIfAborted();
      const instance = instances[number - 1]!;
      return this.#reading(instance, this.#reader.metadata(this.#path(instance), instance));
    };
    for await (const one of prefetch(instances.length, read)) found.push(counted(one));
    return found;
  }

  async *retrieve(
    target: Target,
    transferSyntax: string,
    signal?: AbortSignal,
  ): AsyncGenerator<StoredInstance> {
    const instances = await this.#instances(target, signal);
    const wanted = (instance: IndexedInstance) =>
      transferSyntax === '*' ? instance.transferSyntax : transferSyntax;
    if (!instances.every((instance) => canGive(instance.transferSyntax, wanted(instance))))
      throw notInTransferSyntax();
    const given = (instance: IndexedInstance) =>
      this.#reading(instance, this.#given(instance, wanted(instance), signal));
    /** Opens the next file while this one is sent. A file to transcode is opened later. */
    const ahead = (instance: IndexedInstance | undefined) =>
      instance && wanted(instance) === instance.transferSyntax ? opened(given(instance)) : undefined;
    let next: ReturnType<typeof ahead>;
    let current: Readable | undefined;
    const abort = (): unknown => current?.destroy(new Error('The request was given up.'));
    signal?.addEventListener('abort', abort, { once: true });
    try {
      for (const [index, instance] of instances.entries()) {
        signal?.throwIfAborted();
        const stored = await (next ?? given(instance));
        current = stored.stream;
        next = ahead(instances[index + 1]);
        yield { sopInstanceUid: instance.sopInstanceUid, ...stored };
        // Otherwise a reader that leaves early keeps the file open.
        if (!current.readableEnded) current.destroy();
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      if (!current?.readableEnded) current?.destroy();
      void next?.then(({ stream }) => stream.destroy()).catch(() => undefined);
    }
  }

  async frames(target: InstanceTarget, numbers: readonly number[], signal?: AbortSignal): Promise<Frames> {
    const instance = await this.#instance(target, signal);
    const reading = this.#frameTables.frames(this.#path(instance), instance, numbers);
    const given = await this.#reading(instance, reading);
    return { ...given, stamp: stampOf([instance]), frames: this.#readingEach(instance, given.frames) };
  }

  async version(target: Target, signal?: AbortSignal): Promise<string> {
    return stampOf(await this.#instances(target, signal));
  }

  async bulkdata(target: InstanceTarget, path: string, signal?: AbortSignal): Promise<BulkData> {
    const instance = await this.#instance(target, signal);
    return this.#reading(instance, this.#reader.bulkData(this.#path(instance), instance, path));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#interval);
    this.#watcher?.close();
    await Promise.all([this.#work, this.#started, this.#rechecking]);
    this.#setIndexed();
    await this.#ownThreads?.close();
    await this.#ownPixels?.close();
    this.#database.close();
  }

  /** Returns the object as stored, or transcoded. */
  async #given(
    instance: IndexedInstance,
    transferSyntax: string,
    signal: AbortSignal | undefined,
  ): Promise<Omit<StoredInstance, 'sopInstanceUid'>> {
    const path = this.#path(instance);
    if (transferSyntax !== instance.transferSyntax)
      return this.#reader.inTransferSyntax(path, instance, transferSyntax, { pixels: this.#pixels, signal });
    const { size } = instance;
    const stream = streamRange(await this.#reader.open(path, instance), 0, size - 1, this.#buffers);
    stream.once('error', (error) => this.#failed(instance, error));
    return { transferSyntax, size, stream };
  }

  #path(instance: IndexedInstance): string {
    return join(this.#root, instance.path);
  }

  /** Awaits a read. After a failure the file is indexed again, also when the folder is not watched. */
  async #reading<T>(instance: IndexedInstance, read: Promise<T>): Promise<T> {
    try {
      return await read;
    } catch (error) {
      throw this.#failed(instance, error);
    }
  }

  async *#readingEach<T>(instance: IndexedInstance, parts: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* parts;
    } catch (error) {
      throw this.#failed(instance, error);
    }
  }

  /** Returns the error to answer for a failed read. While the folder is away, it is always the same. */
  #failed(instance: IndexedInstance, error: unknown): unknown {
    if (!(error instanceof Fault) || error.details.service !== 'imaging') return error;
    if (error.cause instanceof OtherObject) {
      const { path } = instance;
      this.#onOtherObject?.();
      this.#log.error({ path }, 'refused: the object is another than was indexed');
    }
    if (!this.#presence.isThere) return awayFault(error);
    this.#enqueue([instance.path]);
    return error;
  }

  async #instances(target: Target, signal?: AbortSignal): Promise<readonly IndexedInstance[]> {
    await this.#ready(signal);
    const instances = isInstance(target)
      ? this.#search.instance(target, this.#index.generation())
      : await this.#search.instances(target);
    if (instances.length === 0) throw noSuchObject();
    return instances;
  }

  async #instance(target: InstanceTarget, signal?: AbortSignal): Promise<IndexedInstance> {
    return (await this.#instances(target, signal))[0]!;
  }

  async #ready(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#started;
    this.#throwIfAway();
    if (this.#index.complete) return;
    const patience = new AbortController();
    const late = sleep(this.#patience, 'late', { signal: patience.signal, ref: false }).catch(() => 'late');
    await Promise.race([this.indexed, late]);
    patience.abort();
    signal?.throwIfAborted();
    this.#throwIfAway();
    if (!this.#index.complete) {
      const message = 'The folder is being indexed for the first time.';
      throw new Fault('unavailable', message, { service: 'imaging', retryAfter: 5 });
    }
  }

  #throwIfAway(): void {
    if (this.#closing.signal.aborted) throw serverStopping();
    this.#presence.throwIfAway();
  }

  async check(signal?: AbortSignal): Promise<void> {
    await access(this.#root, constants.R_OK | constants.X_OK);
    await this.#ready(signal);
  }

  /** Checks once a second whether the folder is there, and whether a walk is due. */
  #lookAround(): void {
    this.#rechecking ??= this.#recheck().finally(() => (this.#rechecking = undefined));
    if (performance.now() < this.#nextWalk) return;
    this.#nextWalk = Infinity;
    this.#enqueue(['']);
  }

  /** Checks whether the folder is there. A failing index, as on a failing disk, must not end the process. */
  async #recheck(): Promise<void> {
    try {
      await this.#presence.recheck();
    } catch (error) {
      this.#log.error({ code: (error as NodeJS.ErrnoException).code }, 'the index of the folder fails');
    }
  }

  /** Scans paths after the running scan, together with other paths that arrive until then. */
  #enqueue(paths: readonly string[]): void {
    if (this.#closing.signal.aborted) return;
    const isPlanned = this.#changed.size > 0;
    for (const path of paths) this.#changed.add(path);
    if (!isPlanned) this.#work = this.#work.then(() => this.#scan());
  }

  async #scan(): Promise<void> {
    const isWhole = this.#changed.has('');
    const paths = isWhole ? [''] : [...this.#changed];
    this.#changed.clear();
    const started = performance.now();
    try {
      // The folder is walked when it is back.
      if (this.#closing.signal.aborted || !this.#presence.isThere) return;
      await this.#scanner.scan(paths);
      this.#presence.noteIndexed();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const { code } = error as NodeJS.ErrnoException;
      // The code only, because the message names an absolute path.
      this.#log.error({ code }, 'the folder cannot be indexed; what was indexed before stays');
    }
    if (!isWhole) return;
    const ended = performance.now();
    this.#nextWalk = ended + Math.max(this.#walkEvery, WALK_SHARE * (ended - started));
    this.#setIndexed();
  }
}

/** Starts to read the first bytes of an object. Its errors appear when the object is used. */
function opened<T extends { stream: Readable }>(opening: Promise<T>): Promise<T> {
  opening.then(
    ({ stream }) => stream.on('error', () => undefined).read(0),
    () => undefined,
  );
  return opening;
}

function isInstance(target: Target): target is InstanceTarget {
  return target.seriesUid !== undefined && target.instanceUid !== undefined;
}
