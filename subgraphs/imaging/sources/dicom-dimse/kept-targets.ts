import { SingleFlight } from '../../../../schema/concurrency/single-flight.ts';
import { stat } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import { noSuchObject } from '../../../../schema/fault/refusals.ts';
import type { Target } from '../source.ts';
import type { Entry, RetrievalCache } from './cache.ts';
import type { DimseClient } from './dimse-client.ts';
import { planOf, studyAsSaid } from './plan.ts';
import { isWithin, type SpooledInstance } from './spool.ts';

/** Milliseconds for which an archive is not asked again what it has of a study. */
const FRESH = 5000;
/** Milliseconds for which it is then asked for the patient and the number of instances alone, and not for each of these. */
const COMPARED = 60_000;

/** Instances to be read until they are let go of. */
export interface Held {
  instances: readonly SpooledInstance[];
  release: () => void;
}

/** What an archive has of which we keep copies, as long as it says of it what it said when they were made. */
export class KeptTargets {
  readonly #cache: RetrievalCache;
  readonly #client: DimseClient;
  readonly #keyOf: (target: Target) => string;
  /** Entries of the cache that the archive was found to have as they are. */
  readonly #fresh = new LRUCache<string, Entry>({ max: 10_000, ttl: FRESH });
  /** Entries that were compared instance by instance lately, and what the archive said of their study then. */
  readonly #compared = new LRUCache<string, { entry: Entry; study: string }>({ max: 10_000, ttl: COMPARED });
  /** Questions for that which are under way: the frames of a study share them. */
  readonly #asking = new SingleFlight<unknown>();

  /** @param keyOf names a target in the cache */
  constructor(cache: RetrievalCache, client: DimseClient, keyOf: (target: Target) => string) {
    this.#cache = cache;
    this.#client = client;
    this.#keyOf = keyOf;
  }

  /** A target was retrieved just now. */
  retrieved(target: Target): void {
    const key = this.#keyOf(target);
    const entry = this.#cache.get(key);
    if (entry) this.#fresh.set(key, entry);
  }

  /**
   * The target, where it or what it is part of was retrieved before and the archive says of it what it said then: the
   * same patient, and the same instances.
   * @throws Fault `not_found` where the study or series was retrieved, without the target in it
   */
  async find(target: Target, signal: AbortSignal | undefined): Promise<Held | undefined> {
    for (const part of partsAround(target)) {
      const key = this.#keyOf(part);
      const entry = this.#cache.get(key);
      if (!entry) continue;
      const release = entry.holding.read();
      try {
        const isAsBefore = await this.#isAsBefore(key, entry, part);
        const instances = entry.holding.instances.filter((instance) => isWithin(instance, target));
        const isThere = isAsBefore && (await areThere(instances));
        signal?.throwIfAborted();
        if (!isThere) {
          this.#cache.drop(key);
          release();
          continue;
        }
        if (instances.length === 0) throw noSuchObject();
        return { instances, release };
      } catch (error) {
        release();
        throw error;
      }
    }
    return undefined;
  }

  /**
   * Whether the archive says of a part what it said when it was retrieved.
   * @throws Fault `not_found` where it says that it is not the patient's, or not there
   */
  async #isAsBefore(key: string, entry: Entry, part: Target): Promise<boolean> {
    const isOfTarget = entry.holding.instances.every((instance) => isWithin(instance, part));
    if (isOfTarget && this.#fresh.get(key) === entry) return true;
    const before = this.#compared.get(key);
    const ask = () => studyAsSaid(this.#client, part);
    const isSame =
      isOfTarget && before?.entry === entry && (await this.#once(['study', part], ask)) === before.study;
    if (!isSame) {
      const { identity, study } = await this.#once(['plan', part], () =>
        planOf(this.#client, part, undefined),
      );
      if (identity !== entry.identity) return false;
      if (study !== undefined) this.#compared.set(key, { entry, study });
    }
    this.#fresh.set(key, entry);
    return true;
  }

  /** Equal questions at the same time are one, which does not end with the request that asked it first. */
  #once<T>(question: readonly unknown[], ask: () => Promise<T>): Promise<T> {
    return this.#asking.run(JSON.stringify(question), ask);
  }
}

/** The study, the series and the instance that the target is part of. */
function partsAround({ seriesUid, instanceUid, ...study }: Target): Target[] {
  const parts: Target[] = [study];
  if (seriesUid !== undefined) parts.push({ ...study, seriesUid });
  if (seriesUid !== undefined && instanceUid !== undefined) parts.push({ ...study, seriesUid, instanceUid });
  return parts;
}

/** Whether the files still are what was kept: somebody may have cleared the directory, or written into it. */
async function areThere(instances: readonly SpooledInstance[]): Promise<boolean> {
  const files = await Promise.all(instances.map(({ path }) => stat(path).catch(() => undefined)));
  return instances.every(({ size, mtime }, i) => files[i]?.size === size && files[i].mtimeMs === mtime);
}
