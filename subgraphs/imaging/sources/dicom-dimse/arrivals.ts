import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Target } from '../source.ts';
import type { Holding, RetrievalCache } from './cache.ts';
import { isWithin, moved, type SpooledInstance } from './spool.ts';

/** Bytes read at a time to compare a file. */
const CHUNK = 256 * 1024;

/**
 * Instances of a running retrieval, in the order of arrival. When there is no room for all, instances are deleted after
 * they were read.
 */
export class Arrivals {
  readonly #cache: RetrievalCache;
  readonly #holding: Promise<Holding>;
  readonly #instances: SpooledInstance[] = [];
  /** All arrived instances by SOP Instance UID. Each resolves when its file is in the directory. */
  readonly #moved = new Map<string, Promise<SpooledInstance>>();
  /** Digests of compared or deleted files by SOP Instance UID; undefined for an unreadable file. */
  readonly #digests = new Map<string, Promise<string | undefined>>();
  #deleted = 0;
  #ended = false;

  constructor(cache: RetrievalCache, holding: Promise<Holding>) {
    this.#cache = cache;
    this.#holding = holding;
  }

  /** Number of arrived instances. */
  get count(): number {
    return this.#instances.length;
  }

  /** Number of arrived instances that were deleted. */
  get deleted(): number {
    return this.#deleted;
  }

  /** Returns an instance. @param index in the order of arrival, from 0 */
  at(index: number): SpooledInstance | undefined {
    return this.#instances[index];
  }

  /** Tells whether an instance of the target has arrived and was not deleted. */
  has(target: Target): boolean {
    return this.#instances.findIndex((instance) => isWithin(instance, target)) >= this.#deleted;
  }

  /** Tells whether an instance with this UID has arrived before. */
  isKnown({ sopInstanceUid }: SpooledInstance): boolean {
    return this.#moved.has(sopInstanceUid);
  }

  /**
   * Adds an instance with a new UID, also without room: other retrievals are evicted for it.
   * @returns false when the retrieval has ended in the meantime, and its directory is gone
   */
  async add(instance: SpooledInstance): Promise<boolean> {
    const name = `${this.#moved.size + 1}.dcm`;
    const moving = this.#holding.then(({ directory }) => moved(instance, directory, name));
    this.#moved.set(instance.sopInstanceUid, moving);
    const kept = await moving;
    const { instances } = await this.#holding;
    if (this.#ended) return false;
    instances.push(kept);
    this.#instances.push(kept);
    this.#cache.grow(kept.size);
    return true;
  }

  /** Tells whether an instance has the same bytes as the earlier one with its UID, which may be deleted. */
  async isSame(instance: SpooledInstance): Promise<boolean> {
    const earlier = await this.#moved.get(instance.sopInstanceUid);
    const [before, now] = await Promise.all([earlier && this.#digest(earlier), digestOf(instance.path)]);
    return before !== undefined && before === now;
  }

  /** Deletes the instances before an index. */
  async deleteBefore(index: number): Promise<void> {
    const read = this.#instances.slice(this.#deleted, index);
    if (read.length === 0) return;
    this.#deleted += read.length;
    const { instances } = await this.#holding;
    // The bytes of an ended retrieval are no longer counted.
    if (this.#ended) return;
    instances.splice(0, read.length);
    this.#cache.grow(-read.reduce((sum, { size }) => sum + size, 0));
    for (const instance of read) {
      // For comparison, if the instance arrives again.
      await this.#digest(instance);
      await rm(instance.path, { force: true });
    }
  }

  /** Ends arrivals: nothing is added or deleted any more. */
  end(): void {
    this.#ended = true;
  }

  #digest({ sopInstanceUid, path }: SpooledInstance): Promise<string | undefined> {
    const digest = this.#digests.get(sopInstanceUid) ?? digestOf(path);
    this.#digests.set(sopInstanceUid, digest);
    return digest;
  }
}

/** Returns the SHA-256 of a file; undefined when it cannot be read. */
async function digestOf(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK })) hash.update(chunk as Buffer);
    return hash.digest('base64url');
  } catch {
    return undefined;
  }
}
