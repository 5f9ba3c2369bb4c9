import { stat } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { hostOf } from '../../../schema/outbound/network.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import { noSuchObject } from '../../../schema/fault/not-found.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import type { Parsing } from '../threads/parsing-threads.ts';
import type { PixelPool } from '../threads/pool.ts';
import { canGive } from '../pixels/plan-transcoding.ts';
import { DimseClient } from './dicom-dimse/client.ts';
import { identifyingKeys, targetLevel } from './dicom-dimse/keys.ts';
import type { DimseNode } from './dicom-dimse/node.ts';
import { planOf, studyAsSaid, type Plan } from './dicom-dimse/plan.ts';
import type { Entry } from './dicom-dimse/cache.ts';
import { LeftBehind, Retrieval } from './dicom-dimse/retrieval.ts';
import { searchArchive } from './dicom-dimse/search.ts';
import { sendersOf } from './dicom-dimse/wire/senders.ts';
import { inOrder, isWithin, type SpooledInstance } from './dicom-dimse/spool.ts';
import { InstanceReader } from './stored/instance-reader.ts';
import { StoredFile, streamRange } from './stored/stored-file.ts';
import { framesThen, FrameTables } from './stored/frame-tables.ts';
import { metadataBytes } from './metadata-bytes.ts';
import { notInTransferSyntax } from './not-in-transfer-syntax.ts';
import { stampOf } from './stored/stamp.ts';
import type {
  BulkData,
  Frames,
  ImagingSource,
  InstanceTarget,
  SourceQuery,
  StoredInstance,
  Target,
} from './source.ts';

type Config = Extract<ImagesConfig, { type: 'dicom-dimse' }>;

/** Milliseconds for which an archive is not asked again what it has of a study. */
const FRESH = 5000;
/** Milliseconds for which it is then asked for the patient and the number of instances alone, and not for each of these. */
const COMPARED = 60_000;

/**
 * A PACS that speaks DIMSE (DW-16): C-FIND, and C-GET or C-MOVE. What is retrieved lies on disk as it came, and all else
 * is read from there.
 * @param key names the source in the cache
 * @param pixels decodes and compresses; stays open when the source closes
 */
export function dicomDimseSource(
  config: Config,
  node: DimseNode,
  key: string,
  pixels: PixelPool,
  parsing: Parsing,
): ImagingSource {
  return new DicomDimse(config, node, key, pixels, parsing);
}

/** Instances to be read until they are let go of. */
interface Held {
  instances: readonly SpooledInstance[];
  release: () => void;
}

class DicomDimse implements ImagingSource {
  readonly #config: Config;
  readonly #node: DimseNode;
  readonly #key: string;
  readonly #pixels: PixelPool;
  readonly #client: DimseClient;
  readonly #retrievals = new Map<string, Retrieval>();
  /** Entries of the cache that the archive was found to have as they are. */
  readonly #fresh = new LRUCache<string, Entry>({ max: 10_000, ttl: FRESH });
  /** Entries that were compared instance by instance lately, and what the archive said of their study then. */
  readonly #compared = new LRUCache<string, { entry: Entry; study: string }>({ max: 10_000, ttl: COMPARED });
  /** Questions for that which are under way: the frames of a study share them. */
  readonly #asked = new Map<string, Promise<unknown>>();
  readonly #reader: InstanceReader;
  readonly #frameTables: FrameTables;

  constructor(config: Config, node: DimseNode, key: string, pixels: PixelPool, parsing: Parsing) {
    this.#reader = new InstanceReader(parsing);
    this.#frameTables = new FrameTables(this.#reader);
    this.#config = config;
    this.#node = node;
    this.#key = key;
    this.#pixels = pixels;
    const url = new URL(config.endpoint);
    const { ae, calledAe, connections } = config;
    const associations = node.associations(url.host, connections);
    this.#client = new DimseClient({ host: hostOf(url), port: Number(url.port), ae, calledAe, associations });
  }

  check(signal?: AbortSignal): Promise<void> {
    return this.#client.echo(signal);
  }

  search(query: SourceQuery, signal?: AbortSignal): Promise<DicomJson[]> {
    return searchArchive(this.#client, query, signal);
  }

  async metadata(target: Target, signal?: AbortSignal): Promise<ObjectMetadata[]> {
    const read: { instance: SpooledInstance; metadata: ObjectMetadata }[] = [];
    const counted = metadataBytes();
    for await (const instance of this.#each(target, signal))
      read.push({ instance, metadata: counted(await this.#reader.metadata(instance.path, instance)) });
    return read.sort((a, b) => inOrder(a.instance, b.instance)).map(({ metadata }) => metadata);
  }

  async *retrieve(
    target: Target,
    transferSyntax: string,
    signal?: AbortSignal,
  ): AsyncGenerator<StoredInstance> {
    for await (const instance of this.#each(target, signal)) {
      const given = await this.#given(instance, transferSyntax, signal);
      const { stream } = given;
      // Who reads the stream learns of its failure; one that is left unread must not end the process.
      stream.on('error', () => undefined);
      const abort = (): unknown => stream.destroy(new Error('The request was given up.'));
      signal?.addEventListener('abort', abort, { once: true });
      try {
        yield { sopInstanceUid: instance.sopInstanceUid, ...given };
      } finally {
        signal?.removeEventListener('abort', abort);
        if (!stream.readableEnded) stream.destroy();
      }
    }
  }

  async frames(target: InstanceTarget, numbers: readonly number[], signal?: AbortSignal): Promise<Frames> {
    const { found, release } = await this.#one(target, signal, (instance) =>
      this.#frameTables.frames(instance.path, instance, numbers),
    );
    return { ...found, frames: framesThen(found.frames, release) };
  }

  async bulkdata(target: InstanceTarget, path: string, signal?: AbortSignal): Promise<BulkData> {
    const { found, release } = await this.#one(target, signal, (instance) =>
      this.#reader.bulkData(instance.path, instance, path),
    );
    return { ...found, open: (range) => found.open(range).once('close', release) };
  }

  /** Of what lies here already: to learn it of anything else would be to retrieve it. */
  async version(target: Target, signal?: AbortSignal): Promise<string | undefined> {
    const cached = await this.#cached(target, signal);
    cached?.release();
    return cached && stampOf(cached.instances);
  }

  async close(): Promise<void> {
    const running = [...this.#retrievals.values()];
    for (const retrieval of running) retrieval.cancel();
    await Promise.allSettled(running.map(({ done }) => done));
  }

  /** The object as it is stored, or brought into another transfer syntax. */
  async #given(
    instance: SpooledInstance,
    transferSyntax: string,
    signal: AbortSignal | undefined,
  ): Promise<Omit<StoredInstance, 'sopInstanceUid'>> {
    const { path, size, transferSyntax: stored } = instance;
    if (transferSyntax === '*' || transferSyntax === stored) {
      const stream = streamRange(new StoredFile(path, instance), 0, size - 1);
      return { transferSyntax: stored, size, stream };
    }
    if (!canGive(stored, transferSyntax)) throw notInTransferSyntax();
    return this.#reader.inTransferSyntax(path, instance, transferSyntax, this.#pixels, signal);
  }

  /** The instances of the target, from the cache in order, from a retrieval as they arrive. */
  async *#each(target: Target, signal: AbortSignal | undefined): AsyncGenerator<SpooledInstance> {
    const cached = await this.#cached(target, signal);
    if (!cached) return yield* this.#retrieved(target, signal);
    try {
      for (const instance of cached.instances) {
        signal?.throwIfAborted();
        yield instance;
      }
    } finally {
      cached.release();
    }
  }

  /** The same from retrievals: whoever is left behind by faster readers of one goes on with the next. */
  async *#retrieved(target: Target, signal: AbortSignal | undefined): AsyncGenerator<SpooledInstance> {
    const given = new Set<string>();
    for (;;) {
      try {
        for await (const instance of this.#retrieval(target).follow(signal)) {
          if (given.has(instance.sopInstanceUid)) continue;
          given.add(instance.sopInstanceUid);
          yield instance;
        }
        return;
      } catch (error) {
        if (!(error instanceof LeftBehind)) throw error;
      }
    }
  }

  /** Work with one instance, whose file stays until `release` is called, or the request is given up. */
  async #one<T>(
    target: InstanceTarget,
    signal: AbortSignal | undefined,
    work: (instance: SpooledInstance) => Promise<T>,
  ): Promise<{ found: T; release: () => void }> {
    const running = [...this.#retrievals.values()].find((retrieval) => retrieval.has(target));
    const instances = running ? running.follow(signal, target) : this.#each(target, signal);
    const release = (): void => void instances.return(undefined);
    try {
      const { value: instance } = await instances.next();
      if (!instance) throw noSuchObject();
      const found = await work(instance);
      // One who has left meanwhile lets go of nothing any more.
      signal?.throwIfAborted();
      signal?.addEventListener('abort', release, { once: true });
      return { found, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /**
   * The target, where it or what it is part of was retrieved before and the archive says of it what it said then: the
   * same patient, and the same instances.
   * @throws Fault `not_found` where the study or series was retrieved, without the target in it
   */
  async #cached(target: Target, signal: AbortSignal | undefined): Promise<Held | undefined> {
    const { cache } = this.#node;
    for (const part of partsAround(target)) {
      const key = this.#keyOf(part);
      const entry = cache.get(key);
      if (!entry) continue;
      const release = entry.holding.read();
      try {
        const isAsBefore = await this.#isAsBefore(key, entry, part);
        const instances = entry.holding.instances.filter((instance) => isWithin(instance, target));
        const isThere = isAsBefore && (await areThere(instances));
        signal?.throwIfAborted();
        if (!isThere) {
          cache.drop(key);
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
    const key = JSON.stringify(question);
    const asked = this.#asked.get(key) as Promise<T> | undefined;
    if (asked) return asked;
    const asking = ask().finally(() => this.#asked.delete(key));
    this.#asked.set(key, asking);
    return asking;
  }

  /** The retrieval of the target that is under way, or a new one. */
  #retrieval(target: Target): Retrieval {
    const key = this.#keyOf(target);
    // Shared by those who were authorized by the same row alone.
    const shared = JSON.stringify([key, target.patient]);
    const running = this.#retrievals.get(shared);
    if (running && !running.givenUp) return running;
    const { cache, incoming, refusals } = this.#node;
    const retrieval: Retrieval = new Retrieval(key, target, cache, {
      plan: (signal) => planOf(this.#client, target, signal),
      fetch: (plan, signal) => this.#fetch(retrieval, plan, signal),
      ...{ incoming, refusals },
    });
    this.#retrievals.set(shared, retrieval);
    const ended = (): void => {
      if (this.#retrievals.get(shared) === retrieval) this.#retrievals.delete(shared);
    };
    const kept = (): void => {
      const entry = cache.get(key);
      if (entry) this.#fresh.set(key, entry);
      ended();
    };
    retrieval.done.then(kept, ended);
    return retrieval;
  }

  async #fetch(retrieval: Retrieval, { instances }: Plan, signal: AbortSignal): Promise<number> {
    const { keys } = identifyingKeys(targetLevel(retrieval.target), retrieval.target);
    if (this.#config.retrieval === 'c-get') {
      const sopClasses = [...new Set(instances.values())].filter(Boolean);
      return this.#client.get(keys, sopClasses, (request) => retrieval.spool(request), signal);
    }
    let alive = (): void => undefined;
    const { ae } = this.#config;
    const messageId = this.#node.nextMessageId();
    const senders = await sendersOf(this.#config);
    const forget = await this.#node.scp.expect({ ae, messageId, senders, retrieval, alive: () => alive() });
    try {
      return await this.#client.move(keys, { messageId, onStart: (touch) => (alive = touch) }, signal);
    } finally {
      forget();
    }
  }

  #keyOf({ studyUid, seriesUid = '', instanceUid = '' }: Target): string {
    return [this.#key, studyUid, seriesUid, instanceUid].join('/');
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
