import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { boundedCache } from '../../schema/cache/bounded-cache.ts';

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
   * @param make makes the file, when there is none
   */
  async take(key: string, make: (file: string) => Promise<void>): Promise<ReachLease> {
    let kept = this.#kept.get(key);
    if (!kept) {
      const file = join(this.#folder, `${randomUUID()}.duckdb`);
      kept = { file, made: this.#emptied().then(() => make(file)), uses: 0, isOver: false };
      this.#kept.set(key, kept);
    }
    kept.uses++;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      kept.uses--;
      this.#removeUnused(kept);
    };
    try {
      await kept.made;
      return { file: kept.file, release };
    } catch (error) {
      if (this.#kept.peek(key) === kept) this.#kept.delete(key);
      release();
      throw error;
    }
  }

  /** Forgets all: the data, or the tenant, are others. */
  clear(): void {
    this.#kept.clear();
  }

  /** Removes what an earlier process has left. */
  #emptied(): Promise<void> {
    this.#opened ??= rm(this.#folder, { recursive: true, force: true }).then(async () => {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    });
    return this.#opened;
  }

  #removeUnused(kept: Kept): void {
    if (!kept.isOver || kept.uses > 0) return;
    this.#onRemoved(kept.file);
    void rm(kept.file, { force: true }).catch(() => undefined);
  }
}
