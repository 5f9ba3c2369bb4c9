import { boundedCache } from '../../../../schema/cache/bounded-cache.ts';
import { SingleFlight } from '../../../../schema/concurrency/single-flight.ts';
import { stat } from 'node:fs/promises';
import { number, Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { noSuchObject } from '../../../../schema/fault/refusals.ts';
import type { Target } from '../source.ts';
import type { Entry, RetrievalCache } from './cache.ts';
import type { DimseClient } from './dimse-client.ts';
import { planOf, studyAsSaid } from './plan.ts';
import { isWithin, type SpooledInstance } from './spool.ts';

/** Seconds for which an archive is not asked again about a study. */
const FRESH = 5;
/** Seconds for which it is then asked only for the patient and the number of instances, not for each instance. */
const COMPARED = 60;

/** Instances that are kept until `release` is called. */
export interface Held {
  instances: readonly SpooledInstance[];
  release: () => void;
}

/** Finds cached copies of objects of an archive, as long as the archive gives the same facts as when they were made. */
export class KeptTargets {
  readonly #cache: RetrievalCache;
  readonly #client: DimseClient;
  readonly #keyOf: (target: Target) => string;
  /** Entries of the cache that were just compared with the archive, and when. */
  readonly #fresh = boundedCache<{ entry: Entry; at: number }>({ entries: 10_000, seconds: FRESH });
  /** Number of instances that a search last saw of a study, and when another number was seen for the first time. */
  readonly #seen = boundedCache<{ count: number; at: number }>({ entries: 10_000 });
  /** Entries that were recently compared by instance, and the facts of their study at that time. */
  readonly #compared = boundedCache<{ entry: Entry; study: string }>({ entries: 10_000, seconds: COMPARED });
  /** Running questions to the archive, which the frames of a study share. */
  readonly #asking = new SingleFlight<unknown>();

  /** @param keyOf returns the key of a target in the cache */
  constructor(cache: RetrievalCache, client: DimseClient, keyOf: (target: Target) => string) {
    this.#cache = cache;
    this.#client = client;
    this.#keyOf = keyOf;
  }

  /** Notes that a target was just retrieved. */
  retrieved(target: Target): void {
    const key = this.#keyOf(target);
    const entry = this.#cache.get(key);
    if (entry) this.#fresh.set(key, { entry, at: performance.now() });
  }

  /** Notes the rows of a search: a study of which they state another number of instances is compared again. */
  seen(rows: readonly DicomJson[]): void {
    for (const row of rows) {
      const studyUid = text(row, Tag.StudyInstanceUID) ?? '';
      const count = number(row, Tag.NumberOfStudyRelatedInstances);
      if (count !== undefined && this.#seen.get(studyUid)?.count !== count)
        this.#seen.set(studyUid, { count, at: performance.now() });
    }
  }

  /**
   * Returns the target if it, its series or its study was retrieved before, and the archive still gives the same
   * patient and instances for it.
   * @throws Fault `not_found` when the study or series was retrieved and does not contain the target
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
   * Tells whether the archive gives the same facts of a part as when it was retrieved.
   * @throws Fault `not_found` when it belongs to another patient now, or is gone
   */
  async #isAsBefore(key: string, entry: Entry, part: Target): Promise<boolean> {
    const isOfTarget = entry.holding.instances.every((instance) => isWithin(instance, part));
    const at = performance.now();
    const fresh = this.#fresh.get(key);
    const isFresh = fresh?.entry === entry && fresh.at > (this.#seen.get(part.studyUid)?.at ?? 0);
    if (isOfTarget && isFresh) return true;
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
    this.#fresh.set(key, { entry, at });
    return true;
  }

  /** Asks equal questions at the same time once. The question does not end with its first request. */
  #once<T>(question: readonly unknown[], ask: () => Promise<T>): Promise<T> {
    return this.#asking.run(JSON.stringify(question), ask);
  }
}

/** Returns the study, series and instance that contain the target. */
function partsAround({ seriesUid, instanceUid, ...study }: Target): Target[] {
  const parts: Target[] = [study];
  if (seriesUid !== undefined) parts.push({ ...study, seriesUid });
  if (seriesUid !== undefined && instanceUid !== undefined) parts.push({ ...study, seriesUid, instanceUid });
  return parts;
}

/** Tells whether the files are unchanged, because someone may have deleted or changed files of the directory. */
async function areThere(instances: readonly SpooledInstance[]): Promise<boolean> {
  const files = await Promise.all(instances.map(({ path }) => stat(path).catch(() => undefined)));
  return instances.every(({ size, mtime }, i) => files[i]?.size === size && files[i].mtimeMs === mtime);
}
