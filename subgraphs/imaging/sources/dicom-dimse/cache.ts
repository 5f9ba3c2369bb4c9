import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, statSync } from 'node:fs';
import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { inOrder, type SpooledInstance } from './spool.ts';

/** A directory of instances. It is deleted when it was discarded and has no readers. */
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

  /** Keeps the files until the returned function is called. */
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
    // The next start deletes what cannot be deleted now.
    rm(this.directory, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** A completed retrieval. */
export interface Entry {
  holding: Holding;
  /** Number of instances that the archive gave. */
  count: number;
  /** Digest of patient and instances as the archive gave them: `Plan.identity`. */
  identity: string;
  /** Milliseconds since 1970. */
  keptAt: number;
}

interface Manifest extends Omit<Entry, 'holding'> {
  key: string;
  /** Paths are names within the directory. */
  instances: SpooledInstance[];
}

/** Milliseconds for which a retrieval is kept, because an archive may correct an object and keep its UID. */
const MAX_AGE = 4 * 3600 * 1000;
const MANIFEST = 'entry.json';
const INCOMING = 'incoming';
/** Free bytes of the file system that are reserved for arriving objects. With less, nothing is kept. */
const RESERVE = 256 * 1024 * 1024;

/**
 * Completed retrievals on disk. The least recently used are evicted for new ones (DW-16). Complete retrievals of an
 * earlier process are kept: a directory is complete if it has a manifest, which is written last.
 */
export class RetrievalCache {
  /** Directory of objects before they belong to a retrieval. */
  readonly incoming: string;
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #free: () => number;
  readonly #now: () => number;
  /** Entries by key, in the order of their use. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  /** Bytes of running retrievals. */
  #arriving = 0;

  /**
   * @param maxBytes of completed retrievals. A larger one is served but not kept
   * @param free returns the free bytes of the file system
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

  /** Returns the retrieval of a key and makes it the most recently used; undefined when it is too old. */
  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const age = this.#now() - entry.keptAt;
    // A negative age means that the clock was set back.
    if (age > MAX_AGE || age < 0) return void this.drop(key);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const now = new Date();
    void utimes(join(entry.holding.directory, MANIFEST), now, now).catch(() => undefined);
    return entry;
  }

  /** Creates an empty directory for a new retrieval. */
  async begin(): Promise<Holding> {
    const directory = join(this.#directory, randomUUID());
    // Creates both, because the whole cache may have been deleted.
    for (const needed of [this.incoming, directory]) await mkdir(needed, { recursive: true, mode: 0o700 });
    return new Holding(directory);
  }

  /** Counts the growth of a running retrieval, and evicts completed ones to make room. */
  grow(bytes: number): void {
    this.#arriving += bytes;
    this.#evict();
  }

  /** True if there is room for all completed and running retrievals. */
  get hasRoom(): boolean {
    return this.#bytes + this.#arriving <= this.#maxBytes && this.#free() >= RESERVE;
  }

  /** Stops counting the bytes of a retrieval that has ended. */
  ended(holding: Holding): void {
    this.#arriving -= holding.bytes;
  }

  /**
   * Keeps a completed retrieval, or discards it when it is too large or its manifest cannot be written.
   * Sorts its instances.
   */
  async keep(key: string, retrieved: Omit<Entry, 'keptAt'>): Promise<void> {
    const entry = { ...retrieved, keptAt: this.#now() };
    const { holding, ...facts } = entry;
    holding.instances.sort(inOrder);
    if (holding.bytes > this.#maxBytes || this.#free() < RESERVE) return holding.discard();
    const manifest: Manifest = {
      key,
      ...facts,
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

  /** Removes a retrieval, and deletes its files when they have no readers. */
  drop(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.holding.bytes;
    entry.holding.discard();
  }

  /** Removes all retrievals. */
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

/** Tells whether a manifest is complete. */
function isWhole({ identity, keptAt, count, instances }: Partial<Manifest>): boolean {
  return typeof identity === 'string' && typeof keptAt === 'number' && instances?.length === count;
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}
