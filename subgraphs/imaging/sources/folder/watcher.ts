import { watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import type { FolderLog } from './folder-log.ts';

/** Milliseconds of quiet after which changes are looked at: files are written in many small steps. */
const QUIET = 300;
/** Milliseconds after which they are looked at although it never gets quiet. */
const PATIENCE = 3000;

/**
 * Tells of paths in a folder that something happened to, one watch a directory: the recursive kind of `fs.watch` walks
 * the tree by itself on Linux and follows links.
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
  /** Whether some directory could not be watched: changes in it are found by walking only. */
  incomplete = false;

  /** @param changed gets paths relative to the folder, `''` for all of it */
  constructor(root: string, log: FolderLog, changed: (paths: string[]) => void) {
    this.#root = root;
    this.#log = log;
    this.#changed = changed;
  }

  /** Watches a directory too; again is harmless. */
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

  /** Forgets all watches: a walk adds those of the directories that there are. */
  clear(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Forgets watches of a directory that is gone, and of those below it. */
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
    const wait = Math.max(0, Math.min(QUIET, this.#since + PATIENCE - Date.now()));
    this.#timer = setTimeout(() => {
      const paths = [...this.#paths];
      this.#paths.clear();
      this.#changed(paths);
    }, wait);
    this.#timer.unref();
  }
}
