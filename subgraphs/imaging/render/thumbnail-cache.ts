import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { boundedCache, type BoundedCache } from '../../../schema/cache/bounded-cache.ts';
import type { CountLookup } from '../../../schema/process/cache-lookups.ts';

/** Maximum bytes on disk; a thumbnail has about four thousand. */
const MAX_BYTES = 256 * 1024 * 1024;
const NAME = /^[0-9a-f]{64}$/;

export interface ThumbnailCacheOptions {
  /** Made when it is first needed; only this user may read it. */
  directory: string;
  maxBytes?: number;
  /** Reports a disk that cannot be written, once. */
  onFailure?: (error: unknown) => void;
  countLookup?: CountLookup | undefined;
}

/**
 * A cache of thumbnails on disk that drops the least recently used (DW-9). It knows no callers: check the right to the
 * study before you ask it. A failure here costs a rendering, never an answer.
 */
export class ThumbnailCache {
  readonly #directory: string;
  readonly #onFailure: (error: unknown) => void;
  readonly #count: CountLookup | undefined;
  readonly #files: BoundedCache<number>;
  #opening: Promise<void> | undefined;
  #failed = false;

  constructor(options: ThumbnailCacheOptions) {
    const { directory, maxBytes = MAX_BYTES, onFailure = () => {}, countLookup } = options;
    this.#directory = directory;
    this.#onFailure = onFailure;
    this.#count = countLookup;
    this.#files = boundedCache({
      size: maxBytes,
      sizeOf: (size) => Math.max(1, size),
      dispose: (_size, name, reason) => {
        if (reason === 'evict') void unlink(join(directory, name)).catch(() => undefined);
      },
    });
  }

  /** Returns a thumbnail. @param key values that identify the thumbnail */
  async get(key: readonly unknown[]): Promise<Buffer | undefined> {
    const name = nameOf(key);
    try {
      await this.#open();
      const isKept = this.#files.get(name) !== undefined;
      this.#count?.('thumbnails', isKept);
      if (!isKept) return undefined;
      return await readFile(join(this.#directory, name));
    } catch {
      this.#files.delete(name);
      return undefined;
    }
  }

  /** Stores a thumbnail. */
  async put(key: readonly unknown[], bytes: Uint8Array): Promise<void> {
    const name = nameOf(key);
    const path = join(this.#directory, name);
    const partial = `${path}.${randomUUID()}`;
    try {
      await this.#open();
      await writeFile(partial, bytes, { mode: 0o600 });
      // A file is complete or absent, also for a process that reads at the same time.
      await rename(partial, path);
      this.#files.set(name, bytes.length);
      this.#failed = false;
    } catch (error) {
      await rm(partial, { force: true }).catch(() => undefined);
      if (!this.#failed) this.#onFailure(error);
      this.#failed = true;
    }
  }

  /** Loads what an earlier run has left, the oldest first. */
  #open(): Promise<void> {
    return (this.#opening ??= this.#read().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    }));
  }

  async #read(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const found: { name: string; size: number; mtime: number }[] = [];
    for (const name of await readdir(this.#directory)) {
      const file = await stat(join(this.#directory, name)).catch(() => undefined);
      if (!file?.isFile()) continue;
      if (NAME.test(name)) found.push({ name, size: file.size, mtime: file.mtimeMs });
      else await unlink(join(this.#directory, name)).catch(() => undefined);
    }
    for (const { name, size } of found.sort((a, b) => a.mtime - b.mtime)) this.#files.set(name, size);
  }
}

function nameOf(key: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(key)).digest('hex');
}
