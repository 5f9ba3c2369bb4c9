import { LRUCache } from 'lru-cache';
import type { DicomJson } from '../../../schema/dicom.ts';
import type { ImagesConfig } from '../../../schema/tenant.ts';
import { noSuchObject } from '../not-found.ts';
import type { PixelPool } from '../pixels/pool.ts';
import { canGive } from '../pixels/transcode.ts';
import { DimseClient } from './dicom-dimse/client.ts';
import { identifyingKeys, targetLevel } from './dicom-dimse/keys.ts';
import type { DimseNode } from './dicom-dimse/node.ts';
import { planOf, type Plan } from './dicom-dimse/plan.ts';
import { Retrieval } from './dicom-dimse/retrieval.ts';
import { searchArchive } from './dicom-dimse/search.ts';
import { inOrder, isWithin, type SpooledInstance } from './dicom-dimse/spool.ts';
import { inTransferSyntax, readBulkData, readMetadata } from './folder/instance-reader.ts';
import { StoredFile, streamRange } from './folder/stored-file.ts';
import { framesThen, FrameTables } from './frame-tables.ts';
import { notInTransferSyntax } from './not-in-transfer-syntax.ts';
import { slices } from './slices.ts';
import { stampOf } from './stamp.ts';
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

/** Milliseconds for which an archive is not asked again how much it has of a study. */
const FRESH = 5000;

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
): ImagingSource {
  return new DicomDimse(config, node, key, pixels);
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
  readonly #fresh = new LRUCache<string, true>({ max: 10_000, ttl: FRESH });
  readonly #frameTables = new FrameTables();

  constructor(config: Config, node: DimseNode, key: string, pixels: PixelPool) {
    this.#config = config;
    this.#node = node;
    this.#key = key;
    this.#pixels = pixels;
    const { hostname, port } = new URL(config.endpoint);
    const { ae, calledAe } = config;
    const turns = node.turns(`${hostname}:${port}`);
    this.#client = new DimseClient({ host: hostname, port: Number(port), ae, calledAe, turns });
  }

  check(signal?: AbortSignal): Promise<void> {
    return this.#client.echo(signal);
  }

  search(query: SourceQuery, signal?: AbortSignal): Promise<DicomJson[]> {
    return searchArchive(this.#client, query, signal);
  }

  async metadata(target: Target, signal?: AbortSignal): Promise<DicomJson[]> {
    const read: { instance: SpooledInstance; row: DicomJson }[] = [];
    const pause = slices();
    for await (const instance of this.#each(target, signal)) {
      read.push({ instance, row: await readMetadata(instance.path, instance) });
      await pause();
    }
    return read.sort((a, b) => inOrder(a.instance, b.instance)).map(({ row }) => row);
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
      readBulkData(instance.path, instance, path),
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
    return inTransferSyntax(path, instance, transferSyntax, this.#pixels, signal);
  }

  /** The instances of the target, from the cache in order, from a retrieval as they arrive. */
  async *#each(target: Target, signal: AbortSignal | undefined): AsyncGenerator<SpooledInstance> {
    const cached = await this.#cached(target, signal);
    if (!cached) return yield* this.#retrieval(target).follow(signal);
    try {
      for (const instance of cached.instances) {
        signal?.throwIfAborted();
        yield instance;
      }
    } finally {
      cached.release();
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
   * The target, where it or what it is part of was retrieved before and the archive has not more or less of it by now.
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
        if (!this.#fresh.has(key)) {
          const { count } = await planOf(this.#client, part, false, signal);
          if (count !== entry.count) {
            cache.drop(key);
            release();
            continue;
          }
          this.#fresh.set(key, true);
        }
        const instances = entry.holding.instances.filter((instance) => isWithin(instance, target));
        if (instances.length === 0) throw noSuchObject();
        return { instances, release };
      } catch (error) {
        release();
        throw error;
      }
    }
    return undefined;
  }

  /** The retrieval of the target that is under way, or a new one. */
  #retrieval(target: Target): Retrieval {
    const key = this.#keyOf(target);
    const running = this.#retrievals.get(key);
    if (running && !running.givenUp) return running;
    const retrieval: Retrieval = new Retrieval(key, target, this.#node.cache, {
      plan: (signal) => planOf(this.#client, target, this.#config.retrieval === 'c-get', signal),
      fetch: (plan, signal) => this.#fetch(retrieval, plan, signal),
    });
    this.#retrievals.set(key, retrieval);
    const ended = (): void => {
      if (this.#retrievals.get(key) === retrieval) this.#retrievals.delete(key);
    };
    retrieval.done.then(() => (this.#fresh.set(key, true), ended()), ended);
    return retrieval;
  }

  async #fetch(retrieval: Retrieval, { sopClasses }: Plan, signal: AbortSignal): Promise<number> {
    const { keys } = identifyingKeys(targetLevel(retrieval.target), retrieval.target);
    if (this.#config.retrieval === 'c-get') {
      return this.#client.get(keys, sopClasses, (request) => retrieval.spool(request), signal);
    }
    let alive = (): void => undefined;
    const { ae } = this.#config;
    const messageId = this.#node.nextMessageId();
    const forget = await this.#node.scp.expect({ ae, messageId, retrieval, alive: () => alive() });
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
function partsAround({ studyUid, seriesUid, instanceUid }: Target): Target[] {
  const parts: Target[] = [{ studyUid }];
  if (seriesUid !== undefined) parts.push({ studyUid, seriesUid });
  if (seriesUid !== undefined && instanceUid !== undefined) parts.push({ studyUid, seriesUid, instanceUid });
  return parts;
}
