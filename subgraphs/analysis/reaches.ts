import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { boundedCache } from '../../schema/cache/bounded-cache.ts';
import { LEFT } from '../../schema/fault/left.ts';
import { unopened } from './failed.ts';

/** Reaches that are kept. */
const MOST = 16;

/** A file that is not removed until it is given back. */
export interface ReachLease {
  file: string;
  release(): void;
}

interface Kept {
  file: string;
  made: Promise<void>;
  /** Aborts when nobody waits for it any more. */
  left: AbortController;
  uses: number;
  isOver: boolean;
}

/** The files of one tenant's callers, by their rights. One that is not kept any more is removed when it is not used. */
export class Reaches {
  readonly #folder: string;
  readonly #onRemoved: (file: string) => void;
  readonly #kept = boundedCache<Kept>({
    entries: MOST,
    dispose: (kept) => {
      kept.isOver = true;
      this.#removeUnused(kept);
    },
  });
  #opened: Promise<void> | undefined;

  /** @param folder of these files alone @param onRemoved is told before a file goes */
  constructor(folder: string, onRemoved: (file: string) => void) {
    this.#folder = folder;
    this.#onRemoved = onRemoved;
  }

  /**
   * Returns the file for some rights.
   * @param key of the rights and the data
   * @param make makes the file, when there is none. Its signal aborts when nobody waits for it any more
   * @param signal ends the wait
   */
  async take(
    key: string,
    make: (file: string, signal: AbortSignal) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<ReachLease> {
    signal?.throwIfAborted();
    const kept = this.#kept.get(key) ?? this.#making(key, make);
    kept.uses++;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      if (--kept.uses === 0) kept.left.abort(LEFT);
      this.#removeUnused(kept);
    };
    let leave = release;
    const leaving = new Promise<never>((_, reject) => {
      leave = () => {
        release();
        reject(signal!.reason as Error);
      };
    });
    signal?.addEventListener('abort', leave);
    try {
      await Promise.race([kept.made, leaving]);
      return { file: kept.file, release };
    } catch (error) {
      release();
      // It was dropped in the moment in which this caller came.
      if (error === LEFT && !signal?.aborted) return await this.take(key, make, signal);
      throw error;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  #making(key: string, make: (file: string, signal: AbortSignal) => Promise<void>): Kept {
    const file = join(this.#folder, `${randomUUID()}.duckdb`);
    const left = new AbortController();
    const made = this.#emptied().then(() => make(file, left.signal));
    const kept: Kept = { file, made, left, uses: 0, isOver: false };
    this.#kept.set(key, kept);
    made.catch(() => {
      if (this.#kept.peek(key) === kept) this.#kept.delete(key);
    });
    return kept;
  }

  /** Forgets all: the data, or the tenant, are others. */
  clear(): void {
    this.#kept.clear();
  }

  /** Removes what an earlier process has left. */
  #emptied(): Promise<void> {
    this.#opened ??= rm(this.#folder, { recursive: true, force: true })
      .then(async () => void (await mkdir(this.#folder, { recursive: true, mode: 0o700 })))
      .catch((error: unknown) => {
        this.#opened = undefined;
        throw unopened(error);
      });
    return this.#opened;
  }

  #removeUnused(kept: Kept): void {
    if (!kept.isOver || kept.uses > 0) return;
    this.#onRemoved(kept.file);
    // One that nobody waits for may still be made.
    void kept.made
      .catch(() => undefined)
      .then(() => rm(kept.file, { force: true }))
      .catch(() => undefined);
  }
}
