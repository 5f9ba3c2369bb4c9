import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, statSync } from 'node:fs';
import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { inOrder, type SpooledInstance } from './spool.ts';

/** A directory of instances; it goes when it is discarded and nobody reads it any more. */
export class Holding {
  readonly directory: string;
  readonly instances: SpooledInstance[];
  #readers = 0;
  #discarded = false;

  constructor(directory: string, instances: SpooledInstance[] = []) {
    this.directory = directory;
    this.instances = instances;
  }

  get bytes(): number {
    return this.instances.reduce((sum, { size }) => sum + size, 0);
  }

  /** Keeps the files until the function that it gives is called. */
  read(): () => void {
    this.#readers++;
    let reading = true;
    return () => {
      if (reading) this.#readers--;
      reading = false;
      this.#clear();
    };
  }

  discard(): void {
    this.#discarded = true;
    this.#clear();
  }

  #clear(): void {
    if (!this.#discarded || this.#readers > 0) return;
    // What cannot be deleted now is left to the next start.
    rm(this.directory, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** A completed retrieval. */
export interface Entry {
  holding: Holding;
  /** How many instances the archive said it had. */
  count: number;
  /** The patient and the instances as the archive said them: `Plan.identity`. */
  identity: string;
  /** Milliseconds since 1970. */
  keptAt: number;
}

interface Manifest extends Omit<Entry, 'holding'> {
  key: string;
  /** Paths are names within the directory. */
  instances: SpooledInstance[];
}

/** Milliseconds for which a retrieval is kept: an archive may correct an object and leave its UID. */
const MAX_AGE = 4 * 3600 * 1000;
const MANIFEST = 'entry.json';
const INCOMING = 'incoming';
/** Bytes of the file system that are left to what is arriving: below that nothing is kept. */
const RESERVE = 256 * 1024 * 1024;

/**
 * Completed retrievals on disk, the least recently used of them given up for new ones (DW-16). What an earlier process
 * left is kept where it was complete: a directory counts when its manifest is there, which is written last.
 */
export class RetrievalCache {
  /** Where objects are written before they belong to a retrieval. */
  readonly incoming: string;
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #free: () => number;
  readonly #now: () => number;
  /** In the order of their use. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  /** Bytes of retrievals under way. */
  #arriving = 0;

  /**
   * @param maxBytes what completed retrievals may take; one that is larger is served and not kept
   * @param free bytes that the file system has left
   * @param now milliseconds since 1970
   */
  constructor(directory: string, maxBytes: number, free = () => freeBytes(directory), now = Date.now) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#free = free;
    this.#now = now;
    this.incoming = join(directory, INCOMING);
    rmSync(this.incoming, { recursive: true, force: true });
    mkdirSync(this.incoming, { recursive: true, mode: 0o700 });
    const kept: { manifest: Manifest; path: string; used: number }[] = [];
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      if (name === INCOMING) continue;
      try {
        const file = join(path, MANIFEST);
        const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
        if (!isWhole(manifest)) throw new Error('not a manifest');
        kept.push({ manifest, path, used: statSync(file).mtimeMs });
      } catch {
        rmSync(path, { recursive: true, force: true });
      }
    }
    for (const { manifest, path } of kept.sort((a, b) => a.used - b.used)) {
      const instances = manifest.instances.map((instance) => ({
        ...instance,
        path: join(path, instance.path),
      }));
      const { key, count, identity, keptAt } = manifest;
      this.#put(key, { holding: new Holding(path, instances), count, identity, keptAt });
    }
    this.#evict();
  }

  /** The retrieval of this key, which becomes the most recently used; undefined where it is too old. */
  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const age = this.#now() - entry.keptAt;
    // A clock that was set back makes nothing young again.
    if (age > MAX_AGE || age < 0) return void this.drop(key);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const now = new Date();
    void utimes(join(entry.holding.directory, MANIFEST), now, now).catch(() => undefined);
    return entry;
  }

  /** An empty directory for a retrieval that begins. */
  async begin(): Promise<Holding> {
    const directory = join(this.#directory, randomUUID());
    // Both may have been removed with all that was kept.
    for (const needed of [this.incoming, directory]) await mkdir(needed, { recursive: true, mode: 0o700 });
    return new Holding(directory);
  }

  /** A retrieval under way has grown: completed ones make room for it. */
  grow(bytes: number): void {
    this.#arriving += bytes;
    this.#evict();
  }

  /** Whether there is room for all that is kept and under way. */
  get hasRoom(): boolean {
    return this.#bytes + this.#arriving <= this.#maxBytes && this.#free() >= RESERVE;
  }

  /** A retrieval is not under way any more. */
  ended(holding: Holding): void {
    this.#arriving -= holding.bytes;
  }

  /**
   * Keeps a completed retrieval, or gives it up where it is too large or cannot be written down.
   * Its instances are put in order.
   */
  async keep(key: string, retrieved: Omit<Entry, 'keptAt'>): Promise<void> {
    const entry = { ...retrieved, keptAt: this.#now() };
    const { holding, ...said } = entry;
    holding.instances.sort(inOrder);
    if (holding.bytes > this.#maxBytes || this.#free() < RESERVE) return holding.discard();
    const manifest: Manifest = {
      key,
      ...said,
      instances: holding.instances.map((instance) => ({ ...instance, path: basename(instance.path) })),
    };
    const file = join(holding.directory, MANIFEST);
    try {
      await writeFile(`${file}.part`, JSON.stringify(manifest), { mode: 0o600 });
      await rename(`${file}.part`, file);
    } catch {
      return holding.discard();
    }
    this.drop(key);
    this.#put(key, entry);
    this.#evict();
  }

  /** Forgets a retrieval, and deletes its files when nobody reads them any more. */
  drop(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.holding.bytes;
    entry.holding.discard();
  }

  /** Gives up all that is kept. */
  clear(): void {
    for (const key of [...this.#entries.keys()]) this.drop(key);
  }

  #put(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#bytes += entry.holding.bytes;
  }

  #evict(): void {
    for (const key of this.#entries.keys()) {
      if (this.hasRoom) return;
      this.drop(key);
    }
  }
}

/** Whether a manifest says all that has to be known of an entry. */
function isWhole({ identity, keptAt, count, instances }: Partial<Manifest>): boolean {
  return typeof identity === 'string' && typeof keptAt === 'number' && instances?.length === count;
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}
