import { lstatSync, realpathSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import type { Header } from '../../parsing/header.ts';
import type { Parsing } from '../../threads/parsing-threads.ts';
import type { FolderLog } from './folder-log.ts';
import type { FolderPresence } from './presence.ts';
import type { FolderIndex, FoundFile, KnownFile, Outcome, ReadHeader } from './folder-index.ts';

/** Progress of a walk. */
export interface Progress {
  /** Number of files that were met. */
  files: number;
  /** Number of files that had to be read. */
  read: number;
  seconds: number;
  done: boolean;
}

export interface ScannerOptions {
  /** Absolute path of the folder. */
  root: string;
  index: FolderIndex;
  presence: Pick<FolderPresence, 'isThere' | 'believesGone'>;
  log: FolderLog;
  parsing: Parsing;
  /** Tags of attributes that the index has besides its own. */
  more?: readonly string[] | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Called for every directory that a walk enters, with its path relative to the folder. */
  onDirectory?: ((directory: string) => void) | undefined;
  /** Called for a path that is gone, or not a file any more. */
  onGone?: ((path: string) => void) | undefined;
  signal: AbortSignal;
  /** Milliseconds between the two checks that must both find a file missing (default: 2000). */
  confirmAfter?: number | undefined;
}

/** Milliseconds that indexing blocks the event loop before other work continues. */
const SLICE = 10;

/** Milliseconds between the two checks that must both find a file missing. */
const CONFIRM_AFTER = 2000;

/** Number of checks for missing files in one scan. A study that is still being deleted waits for the next scan. */
const LOOKS = 5;

/** Number of files whose headers are read at a time, so that the transfer to another thread costs little. */
const BATCH = 64;

/** Extensions for which a file that is not DICOM is logged as a warning. */
const DICOM_NAMES = new Set(['.dcm', '.dicom', '.dic', '.ima']);

/** Headers that are being read. */
interface Reading {
  files: FoundFile[];
  headers: Promise<Header[]>;
}

/** Updates the index from the folder. Logs name files by their path in the folder, and no content. */
export class Scanner {
  readonly #options: ScannerOptions;
  /** Files to read. */
  #unread: FoundFile[] = [];
  #reading: Reading | undefined;
  /** Headers to write into the index. */
  #pending: { file: FoundFile; header: ReadHeader }[] = [];
  /** Files that the first check did not find. */
  #missing: KnownFile[] = [];
  /** Paths of indexed instances that the first check found not to be instances any more. */
  #doubtful: string[] = [];
  #hasWalked = false;
  #sliceEnd = 0;

  constructor(options: ScannerOptions) {
    this.#options = options;
  }

  /**
   * Scans changed paths; `''` is the whole folder. Files are removed from the index only when a second check does not
   * find them either.
   * @throws when the folder itself cannot be read; the index then stays as it is
   */
  async scan(paths: readonly string[]): Promise<void> {
    this.#missing = [];
    this.#doubtful = [];
    for (const path of paths) {
      this.#options.signal.throwIfAborted();
      if (path === '') await this.#walk('');
      else await this.#look(path);
    }
    await this.#lookAgain();
    await this.#refresh();
  }

  /** Walks a directory tree. Reads new and changed files, and remembers missing ones. */
  async #walk(directory: string): Promise<void> {
    const { index, log, onProgress, signal } = this.#options;
    const started = performance.now();
    const progress: Progress = { files: 0, read: 0, seconds: 0, done: false };
    let nextReport = started + 250;
    let nextLine = started + 5000;
    index.startWalk();
    const unchanged: number[] = [];
    const flush = (): void => {
      index.transaction(() => unchanged.splice(0).forEach((id) => index.seen(id)));
      this.#flush();
    };

    for await (const file of this.#files(directory)) {
      signal.throwIfAborted();
      progress.files++;
      const id = index.unchanged(file);
      if (id !== undefined) unchanged.push(id);
      else {
        progress.read++;
        this.#unread.push(file);
        if (this.#unread.length >= BATCH) await this.#readNext();
      }
      if (this.#pending.length >= 200 || unchanged.length >= 2000) flush();
      const now = performance.now();
      if (now > nextReport) {
        nextReport = now + 250;
        progress.seconds = secondsSince(started);
        onProgress?.({ ...progress });
        if (now > nextLine)
          log.info({ files: progress.files, read: progress.read }, 'the folder is being indexed');
        if (now > nextLine) nextLine = now + 5000;
      }
      await this.#breathe();
    }
    await this.#readRest();
    flush();
    const missing = index.unseen(directory);
    this.#missing.push(...missing);
    await this.#refresh();
    progress.seconds = secondsSince(started);
    if (directory === '' && this.#options.presence.isThere) index.setComplete();
    onProgress?.({ ...progress, done: true });
    const message = directory === '' ? 'folder indexed' : 'directory indexed';
    const { files, read, seconds } = progress;
    const line = { files, read, seconds, missing: missing.length, instances: index.count() };
    // Later walks are logged as info only when they find a change.
    log[read > 0 || missing.length > 0 || !this.#hasWalked ? 'info' : 'debug'](line, message);
    this.#hasWalked = true;
  }

  /** Scans one path. */
  async #look(path: string): Promise<void> {
    const { index, root, onGone } = this.#options;
    const stat = lstatSync(join(root, path), { throwIfNoEntry: false });
    if (!stat?.isFile()) onGone?.(path);
    if (stat?.isDirectory()) return this.#walk(path);
    if (!stat || !stat.isFile()) {
      if (stat?.isSymbolicLink()) this.#refuseOutside(path);
      this.#missing.push(...index.below(path));
      return;
    }
    const file = { path, size: stat.size, mtime: stat.mtimeMs, ctime: stat.ctimeMs };
    if (index.unchanged(file) !== undefined) return;
    this.#unread.push(file);
    await this.#readRest();
    this.#flush();
  }

  /**
   * Checks missing and doubtful files again after some time, and then removes or changes them in the index. The files
   * of a study are removed together: while every check finds more missing, the study is being deleted and stays
   * complete.
   */
  async #lookAgain(): Promise<void> {
    const { index, presence, signal, confirmAfter = CONFIRM_AFTER } = this.#options;
    let missing: KnownFile[] = this.#missing;
    for (let look = 0; look < LOOKS && missing.length + this.#doubtful.length > 0; look++) {
      await sleep(confirmAfter, undefined, { signal });
      if (!presence.isThere) return;
      await this.#takeDoubtful();
      const before = new Set(missing.map(({ id }) => id));
      const gone = await this.#goneOf(index.withTheirStudies(missing));
      const shrinking = new Set(gone.filter(({ id }) => !before.has(id)).map(({ studyUid }) => studyUid));
      await this.#forget(gone.filter(({ studyUid }) => !shrinking.has(studyUid)));
      missing = gone.filter(({ studyUid }) => shrinking.has(studyUid));
    }
  }

  /** Indexes files again that were not instances any more, as they are now. */
  async #takeDoubtful(): Promise<void> {
    for (const path of this.#doubtful.splice(0)) {
      const file = this.#stat(path);
      const [header] = file ? await this.#headersOf([path]) : [];
      if (header?.kind === 'unreadable')
        this.#options.log.warn({ path, code: header.code }, 'a file cannot be read');
      else if (file && header) this.#pending.push({ file, header });
    }
    this.#flush();
  }

  async #goneOf<T extends KnownFile>(files: readonly T[]): Promise<T[]> {
    const gone: T[] = [];
    const directories = new Map<string, boolean>();
    for (const file of files) {
      if (this.#isGone(file.path, directories)) gone.push(file);
      await this.#breathe();
    }
    return gone;
  }

  async #forget(gone: readonly KnownFile[]): Promise<void> {
    const { index, presence, log } = this.#options;
    index.markGone(gone);
    if (gone.length === 0 || !(await presence.believesGone())) return;
    index.forgetGone();
    log.info({ gone: gone.length }, 'files that are gone were taken from the index');
  }

  /**
   * Tells whether a file, or a directory of its path, is gone. Links are not followed. A failure of the file system
   * does not mean that it is gone.
   * @param directories known results of directories
   */
  #isGone(path: string, directories: Map<string, boolean>, isDirectory = false): boolean {
    const parent = dirname(path);
    if (parent !== '.') {
      const isParentGone = directories.get(parent) ?? this.#isGone(parent, directories, true);
      directories.set(parent, isParentGone);
      if (isParentGone) return true;
    }
    try {
      const stat = lstatSync(join(this.#options.root, path), { throwIfNoEntry: false });
      return !(isDirectory ? stat?.isDirectory() : stat?.isFile());
    } catch {
      return false;
    }
  }

  /** Rebuilds the rows of stale studies. */
  async #refresh(): Promise<void> {
    const { index } = this.#options;
    for (const studyUid of index.stale()) {
      const paths = index.firstFiles(studyUid);
      const headers = await this.#headersOf(paths);
      const attributes = new Map<string, DicomJson>();
      for (const [i, header] of headers.entries())
        if (header.kind === 'instance') attributes.set(paths[i]!, header.attributes);
      index.refresh(studyUid, attributes);
      await this.#breathe();
    }
  }

  async *#files(directory: string): AsyncGenerator<FoundFile> {
    const { root, log, onDirectory } = this.#options;
    onDirectory?.(directory);
    const below: string[] = [];
    for await (const entry of await opendir(join(root, directory), { bufferSize: 512 })) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (entry.isDirectory()) below.push(path);
      else if (entry.isSymbolicLink()) this.#refuseOutside(path);
      else if (entry.isFile()) {
        const file = this.#stat(path);
        if (file) yield file;
      }
    }
    for (const path of below) {
      try {
        yield* this.#files(path);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (!code || this.#options.signal.aborted) throw error;
        if (code !== 'ENOENT') log.warn({ path, code }, 'a directory cannot be read');
      }
    }
  }

  #stat(path: string): FoundFile | undefined {
    const stat = lstatSync(join(this.#options.root, path), { throwIfNoEntry: false });
    if (!stat?.isFile()) return undefined;
    return { path, size: stat.size, mtime: stat.mtimeMs, ctime: stat.ctimeMs };
  }

  /**
   * Logs a link to a place outside the folder, which is refused. A link within adds nothing, as its target is indexed.
   */
  #refuseOutside(path: string): void {
    const { log } = this.#options;
    try {
      const root = realpathSync(this.#options.root);
      const target = realpathSync(join(root, path));
      if (target === root || target.startsWith(`${root}/`)) return;
      log.warn({ path }, 'a link that leads outside the folder is refused');
    } catch {
      log.warn({ path }, 'a link that leads nowhere is ignored');
    }
  }

  /** Starts to read headers while the walk continues, and takes those that were started before. */
  async #readNext(): Promise<void> {
    const before = this.#reading;
    const files = this.#unread;
    this.#unread = [];
    const headers = this.#headersOf(files.map(({ path }) => path));
    headers.catch(() => undefined);
    this.#reading = { files, headers };
    if (before) await this.#take(before);
  }

  async #readRest(): Promise<void> {
    if (this.#unread.length > 0) await this.#readNext();
    const last = this.#reading;
    this.#reading = undefined;
    if (last) await this.#take(last);
  }

  async #take({ files, headers }: Reading): Promise<void> {
    for (const [i, header] of (await headers).entries()) {
      const file = files[i]!;
      // A known instance that is no longer one may be about to be written.
      if (header.kind !== 'instance' && this.#options.index.seenInstance(file.path))
        this.#doubtful.push(file.path);
      else if (header.kind !== 'unreadable') this.#pending.push({ file, header });
      // Not indexed, so that the next walk tries again.
      else this.#options.log.warn({ path: file.path, code: header.code }, 'a file cannot be read');
    }
  }

  /** Reads headers. If the thread fails, each file is read separately, and one at which it fails again is damaged. */
  async #headersOf(paths: readonly string[]): Promise<Header[]> {
    const { root, parsing, more } = this.#options;
    const { threads, objectElements } = parsing;
    const read = (some: readonly string[]): Promise<Header[]> =>
      threads.run('headers', { paths: some.map((path) => join(root, path)), objectElements, more });
    try {
      return await read(paths);
    } catch (error) {
      if (!(error instanceof Fault) || error.code === 'unavailable') throw error;
      if (paths.length === 1) return [{ kind: 'damaged', reason: error.message }];
      const each: Header[] = [];
      for (const path of paths) each.push(...(await this.#headersOf([path])));
      return each;
    }
  }

  #flush(): void {
    const { index } = this.#options;
    const batch = this.#pending.splice(0);
    if (batch.length === 0) return;
    index.transaction(() => {
      for (const { file, header } of batch) this.#report(file.path, header, index.put(file, header));
    });
  }

  #report(path: string, header: ReadHeader, outcome: Outcome): void {
    const { log } = this.#options;
    // A damaged file is named in the log (DW-17).
    if (header.kind === 'damaged') log.warn({ path, reason: header.reason }, 'a damaged file is skipped');
    else if (outcome === 'duplicate') log.warn({ path }, 'a duplicate: another file holds the same instance');
    else if (outcome === 'other-patient') {
      log.error({ path }, 'an instance is withheld: its PatientID is not that of its study');
    } else if (outcome === 'other') {
      if (DICOM_NAMES.has(extname(path).toLowerCase()))
        log.warn({ path }, 'a file is not DICOM and is skipped');
      else log.debug({ path }, 'a file that is not DICOM is ignored');
    }
  }

  async #breathe(): Promise<void> {
    const now = performance.now();
    if (now < this.#sliceEnd) return;
    if (this.#sliceEnd > 0) await nextTurn();
    this.#sliceEnd = performance.now() + SLICE;
  }
}

/** Returns seconds, to a millisecond. */
const secondsSince = (started: number): number => Math.round(performance.now() - started) / 1000;
