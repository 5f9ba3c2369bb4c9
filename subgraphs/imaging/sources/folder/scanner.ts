import { lstatSync, realpathSync } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BaseLogger } from 'pino';
import type { DicomJson } from '../../../../schema/dicom.ts';
import type { FolderIndex, FoundFile, Outcome } from './folder-index.ts';
import { readHeader, type Header } from './header.ts';

export type FolderLog = Pick<BaseLogger, 'debug' | 'info' | 'warn' | 'error'>;

/** How far a walk has come. */
export interface Progress {
  /** Files met, and how many of them had to be read. */
  files: number;
  read: number;
  seconds: number;
  done: boolean;
}

export interface ScannerOptions {
  /** Real absolute path of the folder. */
  root: string;
  index: FolderIndex;
  log: FolderLog;
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Told of every directory that a walk enters, as a path relative to the folder. */
  onDirectory?: ((directory: string) => void) | undefined;
  /** Told of a path that is gone, or is another than before. */
  onGone?: ((path: string) => void) | undefined;
  signal: AbortSignal;
}

/** Milliseconds that indexing holds the event loop before others get a turn. */
const SLICE = 10;

/** Names that make a file that is no DICOM worth a line in the log. */
const DICOM_NAMES = new Set(['.dcm', '.dicom', '.dic', '.ima']);

/** Brings the index in line with the folder. Logs name files by their path in the folder, and nothing of their content. */
export class Scanner {
  readonly #options: ScannerOptions;
  readonly #window = Buffer.allocUnsafeSlow(16_384);
  #pending: { file: FoundFile; header: Header }[] = [];
  #sliceEnd = 0;

  constructor(options: ScannerOptions) {
    this.#options = options;
  }

  /**
   * Walks a directory and all below it: new and changed files are read, vanished ones forgotten.
   * @param directory relative to the folder; `''` for all of it
   * @throws where the directory itself cannot be read: the index stays as it is
   */
  async walk(directory: string): Promise<void> {
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
        this.#read(file);
      }
      if (this.#pending.length >= 200 || unchanged.length >= 2000) flush();
      const now = performance.now();
      if (now > nextReport) {
        nextReport = now + 250;
        progress.seconds = (now - started) / 1000;
        onProgress?.({ ...progress });
        if (now > nextLine)
          log.info({ files: progress.files, read: progress.read }, 'the folder is being indexed');
        if (now > nextLine) nextLine = now + 5000;
      }
      await this.#breathe();
    }
    flush();
    const gone = index.endWalk(directory);
    await this.refresh();
    progress.seconds = (performance.now() - started) / 1000;
    if (directory === '') index.setComplete();
    onProgress?.({ ...progress, done: true });
    const message = directory === '' ? 'folder indexed' : 'directory indexed';
    const { files, read, seconds } = progress;
    log.info({ files, read, seconds, gone, instances: index.count() }, message);
  }

  /** Looks again at one path that something happened to. */
  async look(path: string): Promise<void> {
    const { index, root, onGone } = this.#options;
    const stat = lstatSync(join(root, path), { throwIfNoEntry: false });
    if (!stat?.isFile()) onGone?.(path);
    if (stat?.isDirectory()) return this.walk(path);
    if (!stat || !stat.isFile()) {
      if (stat?.isSymbolicLink()) this.#refuseOutside(path);
      index.transaction(() => index.remove(path));
      return;
    }
    const file = { path, size: stat.size, mtime: stat.mtimeMs };
    if (index.unchanged(file) !== undefined) return;
    this.#read(file);
    this.#flush();
  }

  /** Makes the rows anew that earlier steps left stale. */
  async refresh(): Promise<void> {
    const { index } = this.#options;
    for (const studyUid of index.stale()) {
      index.refresh(studyUid, (path) => this.#attributes(path));
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
    return stat?.isFile() ? { path, size: stat.size, mtime: stat.mtimeMs } : undefined;
  }

  /** A link to something in the folder adds nothing: its target is found by itself. One that leads out is refused. */
  #refuseOutside(path: string): void {
    const { root, log } = this.#options;
    try {
      const target = realpathSync(join(root, path));
      if (target === root || target.startsWith(`${root}/`)) return;
      log.warn({ path }, 'a link that leads outside the folder is refused');
    } catch {
      log.warn({ path }, 'a link that leads nowhere is ignored');
    }
  }

  #read(file: FoundFile): void {
    const { root, log } = this.#options;
    try {
      this.#pending.push({ file, header: readHeader(join(root, file.path), this.#window) });
    } catch (error) {
      // Gone again, or not readable for us. It is not remembered: the next walk tries again.
      log.warn({ path: file.path, code: (error as NodeJS.ErrnoException).code }, 'a file cannot be read');
    }
  }

  #attributes(path: string): DicomJson | undefined {
    try {
      const header = readHeader(join(this.#options.root, path), this.#window);
      return header.kind === 'instance' ? header.attributes : undefined;
    } catch {
      return undefined;
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

  #report(path: string, header: Header, outcome: Outcome): void {
    const { log } = this.#options;
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
