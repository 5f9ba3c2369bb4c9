import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Target } from '../source.ts';
import type { Holding, RetrievalCache } from './cache.ts';
import { isWithin, moved, type SpooledInstance } from './spool.ts';

/** Bytes of a file that are read at a time, to compare it. */
const CHUNK = 256 * 1024;

/**
 * Instances of a retrieval that is under way, in the order in which they arrived. Where there is no room for all, those that
 * were read are deleted again.
 */
export class Arrivals {
  readonly #cache: RetrievalCache;
  readonly #holding: Promise<Holding>;
  readonly #instances: SpooledInstance[] = [];
  /** All that have come, by SOP Instance UID; each resolves once the file lies in the directory. */
  readonly #moved = new Map<string, Promise<SpooledInstance>>();
  /** Of files that were compared or deleted, by SOP Instance UID; undefined for one that cannot be read. */
  readonly #digests = new Map<string, Promise<string | undefined>>();
  #deleted = 0;
  #ended = false;

  constructor(cache: RetrievalCache, holding: Promise<Holding>) {
    this.#cache = cache;
    this.#holding = holding;
  }

  /** How many have arrived. */
  get count(): number {
    return this.#instances.length;
  }

  /** How many of these are deleted again. */
  get deleted(): number {
    return this.#deleted;
  }

  /** @param index in the order of arrival, from 0 */
  at(index: number): SpooledInstance | undefined {
    return this.#instances[index];
  }

  /** Whether an instance of the target has arrived and is there. */
  has(target: Target): boolean {
    return this.#instances.findIndex((instance) => isWithin(instance, target)) >= this.#deleted;
  }

  /** Whether an instance of this UID has come before. */
  isKnown({ sopInstanceUid }: SpooledInstance): boolean {
    return this.#moved.has(sopInstanceUid);
  }

  /**
   * Takes an instance of a new UID, whether there is room or not: others make room for it.
   * @returns false where the retrieval has ended meanwhile, and its directory is gone
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

  /** Whether an instance has the bytes of the one of its UID that came before, and may be deleted by now. */
  async isSame(instance: SpooledInstance): Promise<boolean> {
    const earlier = await this.#moved.get(instance.sopInstanceUid);
    const [before, now] = await Promise.all([earlier && this.#digest(earlier), digestOf(instance.path)]);
    return before !== undefined && before === now;
  }

  /** Deletes those before an index. */
  async deleteBefore(index: number): Promise<void> {
    const read = this.#instances.slice(this.#deleted, index);
    if (read.length === 0) return;
    this.#deleted += read.length;
    const { instances } = await this.#holding;
    // All of it is counted out then.
    if (this.#ended) return;
    instances.splice(0, read.length);
    this.#cache.grow(-read.reduce((sum, { size }) => sum + size, 0));
    for (const instance of read) {
      // It may come again.
      await this.#digest(instance);
      await rm(instance.path, { force: true });
    }
  }

  /** No more comes, and nothing is deleted any more. */
  end(): void {
    this.#ended = true;
  }

  #digest({ sopInstanceUid, path }: SpooledInstance): Promise<string | undefined> {
    const digest = this.#digests.get(sopInstanceUid) ?? digestOf(path);
    this.#digests.set(sopInstanceUid, digest);
    return digest;
  }
}

/** SHA-256 of a file; undefined for one that cannot be read. */
async function digestOf(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK })) hash.update(chunk as Buffer);
    return hash.digest('base64url');
  } catch {
    return undefined;
  }
}
