import { watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import type { FolderLog } from './folder-log.ts';

/** Milliseconds without a change before changes are reported, because files are written in many small steps. */
const QUIET = 300;
/** Milliseconds after which changes are reported in any case. */
const LONGEST_WAIT = 3000;

/**
 * Reports changed paths in a folder, with one watch for each directory. The recursive mode of `fs.watch` is not used:
 * on Linux it walks the tree and follows links.
 */
export class FolderWatcher {
  readonly #root: string;
  readonly #log: FolderLog;
  readonly #changed: (paths: string[]) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #paths = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #since = 0;
  #closed = false;
  /** True if a directory could not be watched. Changes in it are found only by walking. */
  incomplete = false;

  /** @param changed gets paths relative to the folder, `''` for all of it */
  constructor(root: string, log: FolderLog, changed: (paths: string[]) => void) {
    this.#root = root;
    this.#log = log;
    this.#changed = changed;
  }

  /** Adds a directory to the watched ones. Has no effect if it is watched. */
  add(directory: string): void {
    if (this.#closed || this.incomplete || this.#watchers.has(directory)) return;
    try {
      const watcher = watch(join(this.#root, directory), (_, name) => {
        this.#note(name === null ? directory : directory === '' ? name : `${directory}/${name}`);
      });
      this.#watchers.set(directory, watcher);
      watcher.on('error', () => this.#drop(directory));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      this.incomplete = true;
      this.#log.warn(
        { path: directory, code },
        'the folder cannot be watched whole; it is walked from time to time',
      );
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.clear();
  }

  /** Closes all watches. The next walk adds those of existing directories. */
  clear(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Closes the watches of a directory that is gone, and of those below it. */
  drop(directory: string): void {
    for (const path of this.#watchers.keys()) {
      if (path === directory || path.startsWith(`${directory}/`)) this.#drop(path);
    }
  }

  #drop(directory: string): void {
    this.#watchers.get(directory)?.close();
    this.#watchers.delete(directory);
  }

  #note(path: string): void {
    if (this.#closed) return;
    if (this.#paths.size === 0) this.#since = Date.now();
    this.#paths.add(path);
    clearTimeout(this.#timer);
    const wait = Math.max(0, Math.min(QUIET, this.#since + LONGEST_WAIT - Date.now()));
    this.#timer = setTimeout(() => {
      const paths = [...this.#paths];
      this.#paths.clear();
      this.#changed(paths);
    }, wait);
    this.#timer.unref();
  }
}
