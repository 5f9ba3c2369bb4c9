import { constants, realpathSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import type { DicomJson } from '../../../schema/dicom.ts';
import { Fault } from '../../../schema/fault.ts';
import { BufferPool } from '../buffer-pool.ts';
import { noSuchObject } from '../not-found.ts';
import { notInTransferSyntax } from './not-in-transfer-syntax.ts';
import { slices } from './slices.ts';
import { PixelPool } from '../pixels/pool.ts';
import { canGive } from '../pixels/transcode.ts';
import { openDatabase } from './folder/database.ts';
import { FolderIndex } from './folder/folder-index.ts';
import { inTransferSyntax, readBulkData, readMetadata } from './folder/instance-reader.ts';
import { Scanner, type FolderLog, type Progress } from './folder/scanner.ts';
import { IndexSearch, type IndexedInstance } from './folder/search.ts';
import { StoredFile, streamRange } from './folder/stored-file.ts';
import { FolderWatcher } from './folder/watcher.ts';
import { FrameTables } from './frame-tables.ts';
import { stampOf } from './stamp.ts';
import type {
  BulkData,
  Frames,
  ImagingSource,
  InstanceTarget,
  SourceQuery,
  StoredInstance,
  Target,
} from './source.ts';

export interface FolderOptions {
  /** The directory tree; links in it that lead outside are refused. */
  path: string;
  /** Where the index is kept, below DATA_DIR; one file for each folder. */
  indexFile: string;
  log: FolderLog;
  /** Decodes and compresses; stays open when the folder closes (default: one of its own). */
  pixels?: PixelPool;
  onProgress?: (progress: Progress) => void;
  /** Follow changes while running (default: yes). */
  watch?: boolean;
  /** Milliseconds that a request waits for the first index before it is told to come again (default: 3000). */
  patience?: number;
}

/** Milliseconds between walks where the folder cannot be watched. */
const WALK_EVERY = 60_000;

/** The source, and what its owner may ask besides. */
export interface FolderSource extends ImagingSource {
  /** Settles when the index is in line with the folder for the first time since it was opened. */
  readonly indexed: Promise<void>;
}

/**
 * Images in a directory tree of DICOM files (DW-17), with or without preamble, at any depth; other files are ignored.
 * Resolves at once: the index is brought up to date behind it. With an index from an earlier run requests are answered
 * from that meanwhile; without one they wait a little, then get Fault `unavailable` with `retryAfter`.
 * @throws where the folder is not there or the index file cannot be written
 */
export async function openFolder(options: FolderOptions): Promise<FolderSource> {
  const root = realpathSync(options.path);
  return new Folder(root, openDatabase(options.indexFile, root), options);
}

class Folder implements FolderSource {
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
  readonly #frameTables = new FrameTables(this.#buffers);
  readonly #interval: NodeJS.Timeout | undefined;
  /** Walks run one after the other. */
  #work: Promise<void>;

  constructor(root: string, database: Database.Database, options: FolderOptions) {
    this.#root = root;
    this.#database = database;
    this.#log = options.log;
    this.#ownPixels = options.pixels ? undefined : new PixelPool();
    this.#pixels = options.pixels ?? this.#ownPixels!;
    this.#patience = options.patience ?? 3000;
    this.#index = new FolderIndex(database);
    this.#search = new IndexSearch(database);
    const { signal } = this.#closing;
    if (options.watch ?? true) {
      this.#watcher = new FolderWatcher(root, options.log, (paths) => this.#enqueue(paths));
      this.#interval = setInterval(
        () => this.#watcher!.incomplete && this.#enqueue(['']),
        WALK_EVERY,
      ).unref();
    }
    this.#scanner = new Scanner({
      ...{ root, index: this.#index, log: options.log, onProgress: options.onProgress, signal },
      onDirectory: (directory) => this.#watcher?.add(directory),
      onGone: (path) => this.#watcher?.drop(path),
    });
    this.#work = this.#scan(['']);
    this.indexed = this.#work;
  }

  async search(query: SourceQuery, signal?: AbortSignal): Promise<DicomJson[]> {
    await this.#ready(signal);
    return this.#search.rows(query);
  }

  async metadata(target: Target, signal?: AbortSignal): Promise<DicomJson[]> {
    const rows: DicomJson[] = [];
    const pause = slices();
    for (const instance of await this.#instances(target, signal)) {
      signal?.throwIfAborted();
      rows.push(await this.#reading(instance, readMetadata(this.#path(instance), instance)));
      await pause();
    }
    return rows;
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
    /** The next file is opened while this one is sent; what must be transcoded is done when its turn comes. */
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
        // A reader that leaves before the end leaves a file open otherwise.
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
    return this.#reading(instance, this.#frameTables.frames(this.#path(instance), instance, numbers));
  }

  async version(target: Target, signal?: AbortSignal): Promise<string> {
    return stampOf(await this.#instances(target, signal));
  }

  async bulkdata(target: InstanceTarget, path: string, signal?: AbortSignal): Promise<BulkData> {
    const instance = await this.#instance(target, signal);
    return this.#reading(instance, readBulkData(this.#path(instance), instance, path));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#interval);
    this.#watcher?.close();
    await this.#work;
    await this.#ownPixels?.close();
    this.#database.close();
  }

  /** The object as it is stored, or brought into another transfer syntax. */
  async #given(
    instance: IndexedInstance,
    transferSyntax: string,
    signal: AbortSignal | undefined,
  ): Promise<Omit<StoredInstance, 'sopInstanceUid'>> {
    const path = this.#path(instance);
    if (transferSyntax !== instance.transferSyntax)
      return inTransferSyntax(path, instance, transferSyntax, this.#pixels, signal);
    const { size } = instance;
    const stream = streamRange(new StoredFile(path, instance), 0, size - 1, this.#buffers);
    return { transferSyntax, size, stream };
  }

  #path(instance: IndexedInstance): string {
    return join(this.#root, instance.path);
  }

  /** A file that is not what the index says is looked at again, whether the folder is watched or not. */
  async #reading<T>(instance: IndexedInstance, read: Promise<T>): Promise<T> {
    try {
      return await read;
    } catch (error) {
      if (error instanceof Fault && error.details.service === 'imaging') this.#enqueue([instance.path]);
      throw error;
    }
  }

  async #instances(target: Target, signal?: AbortSignal): Promise<IndexedInstance[]> {
    await this.#ready(signal);
    const instances = this.#search.instances(target);
    if (instances.length === 0) throw noSuchObject();
    return instances;
  }

  async #instance(target: InstanceTarget, signal?: AbortSignal): Promise<IndexedInstance> {
    return (await this.#instances(target, signal))[0]!;
  }

  async #ready(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#closing.signal.aborted)
      throw new Fault('unavailable', 'The server is stopping.', { retryAfter: 5 });
    if (this.#index.complete) return;
    const patience = new AbortController();
    const late = sleep(this.#patience, 'late', { signal: patience.signal, ref: false }).catch(() => 'late');
    await Promise.race([this.indexed, late]);
    patience.abort();
    signal?.throwIfAborted();
    if (this.#closing.signal.aborted || !this.#index.complete) {
      const message = 'The folder is being indexed for the first time.';
      throw new Fault('unavailable', message, { service: 'imaging', retryAfter: 5 });
    }
  }

  async check(signal?: AbortSignal): Promise<void> {
    await access(this.#root, constants.R_OK | constants.X_OK);
    await this.#ready(signal);
  }

  #enqueue(paths: string[]): void {
    if (this.#closing.signal.aborted) return;
    this.#work = this.#work.then(() => this.#scan(paths));
  }

  async #scan(paths: readonly string[]): Promise<void> {
    try {
      for (const path of paths) {
        if (this.#closing.signal.aborted) return;
        if (path === '') await this.#scanner.walk('');
        else await this.#scanner.look(path);
      }
      await this.#scanner.refresh();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const { code } = error as NodeJS.ErrnoException;
      // Its message would name an absolute path.
      this.#log.error({ code }, 'the folder cannot be indexed; what was indexed before stays');
    }
  }
}

/** An object whose first bytes are read before anybody asks for them; it fails when it is asked for. */
function opened<T extends { stream: Readable }>(opening: Promise<T>): Promise<T> {
  opening.then(
    ({ stream }) => stream.on('error', () => undefined).read(0),
    () => undefined,
  );
  return opening;
}
