import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { hostOf } from '../../../schema/outbound/network.ts';
import { RenewedTls, withDetails } from '../../../schema/outbound/tls.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import { BufferPool } from '../multipart/buffer-pool.ts';
import type { Parsing } from '../threads/parsing-threads.ts';
import type { PixelPool } from '../threads/pool.ts';
import { canGive } from '../pixels/plan-transcoding.ts';
import { CircuitBreaker } from '../../../schema/outbound/circuit-breaker.ts';
import { DimseClient } from './dicom-dimse/dimse-client.ts';
import { identifyingKeys, targetLevel } from './dicom-dimse/keys.ts';
import type { DimseNode } from './dicom-dimse/node.ts';
import { KeptTargets } from './dicom-dimse/kept-targets.ts';
import { planOf, type Plan } from './dicom-dimse/plan.ts';
import { LeftBehind, Retrieval } from './dicom-dimse/shared-retrieval.ts';
import { searchArchive } from './dicom-dimse/search.ts';
import { sendersOf } from './dicom-dimse/wire/senders.ts';
import { inOrder, type SpooledInstance } from './dicom-dimse/spool.ts';
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

export interface DicomDimseOptions {
  /** Names the source in the cache. */
  key: string;
  /** Key of the tenant that the log names. */
  tenant?: string | undefined;
  /** Decodes and compresses; stays open when the source closes. */
  pixels: PixelPool;
  parsing: Parsing;
  /** Remembers that the archive does not answer. */
  breaker?: CircuitBreaker | undefined;
}

/**
 * A PACS that speaks DIMSE (DW-16): C-FIND, and C-GET or C-MOVE. Retrieved objects are stored on disk as received, and
 * everything else is read from there.
 */
export function dicomDimseSource(config: Config, node: DimseNode, options: DicomDimseOptions): ImagingSource {
  return new DicomDimse(config, node, options);
}

class DicomDimse implements ImagingSource {
  readonly #config: Config;
  readonly #node: DimseNode;
  readonly #key: string;
  readonly #tenant: string | undefined;
  readonly #pixels: PixelPool;
  readonly #client: DimseClient;
  readonly #retrievals = new Map<string, Retrieval>();
  readonly #kept: KeptTargets;
  readonly #buffers = new BufferPool();
  readonly #reader: InstanceReader;
  readonly #frameTables: FrameTables;

  constructor(config: Config, node: DimseNode, options: DicomDimseOptions) {
    const { key, tenant, pixels, parsing, breaker = new CircuitBreaker() } = options;
    this.#reader = new InstanceReader(parsing);
    this.#frameTables = new FrameTables(this.#reader, this.#buffers);
    this.#config = config;
    this.#node = node;
    this.#key = key;
    this.#tenant = tenant;
    this.#pixels = pixels;
    const url = new URL(config.endpoint);
    const { ae, calledAe, connections } = config;
    const tls = config.tls && new RenewedTls(config.tls, withDetails(node.log, { tenant }));
    const associations = node.associations(url.host, connections);
    const address = { host: hostOf(url), port: Number(url.port) };
    this.#client = new DimseClient({ ...address, ae, calledAe, associations, tls, breaker });
    this.#kept = new KeptTargets(node.cache, this.#client, (target) => this.#keyOf(target));
  }

  check(signal = new AbortController().signal): Promise<void> {
    return this.#client.tryServices(this.#config.retrieval, signal);
  }

  async search(query: SourceQuery, signal?: AbortSignal): Promise<DicomJson[]> {
    const rows = await searchArchive(this.#client, query, signal);
    if (query.level === 'study') this.#kept.seen(rows);
    return rows;
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
      // The reader gets errors of the stream. Without a reader, an error must not end the process.
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

  /** Returns the version of objects that are in the cache. Others would have to be retrieved. */
  async version(target: Target, signal?: AbortSignal): Promise<string | undefined> {
    const cached = await this.#kept.find(target, signal);
    cached?.release();
    return cached && stampOf(cached.instances);
  }

  async close(): Promise<void> {
    const running = [...this.#retrievals.values()];
    for (const retrieval of running) retrieval.cancel();
    await Promise.allSettled(running.map(({ done }) => done));
  }

  /** Returns the object as stored, or transcoded. */
  async #given(
    instance: SpooledInstance,
    transferSyntax: string,
    signal: AbortSignal | undefined,
  ): Promise<Omit<StoredInstance, 'sopInstanceUid'>> {
    const { path, size, transferSyntax: stored } = instance;
    if (transferSyntax === '*' || transferSyntax === stored) {
      const stream = streamRange(new StoredFile(path, instance), 0, size - 1, this.#buffers);
      return { transferSyntax: stored, size, stream };
    }
    if (!canGive(stored, transferSyntax)) throw notInTransferSyntax();
    return this.#reader.inTransferSyntax(path, instance, transferSyntax, { pixels: this.#pixels, signal });
  }

  /** Yields the instances of the target: from the cache in order, or from a retrieval as they arrive. */
  async *#each(target: Target, signal: AbortSignal | undefined): AsyncGenerator<SpooledInstance> {
    const cached = await this.#kept.find(target, signal);
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

  /** Yields instances from retrievals. A reader that faster readers leave behind continues with the next retrieval. */
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

  /** Works with one instance, whose file is kept until `release` is called or the request is aborted. */
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
      // A signal that is already aborted sends no event.
      signal?.throwIfAborted();
      signal?.addEventListener('abort', release, { once: true });
      return { found, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Returns the running retrieval of the target, or starts one. */
  #retrieval(target: Target): Retrieval {
    const key = this.#keyOf(target);
    // Shared only by callers who were authorized by the same row.
    const shared = JSON.stringify([key, target.patient]);
    const running = this.#retrievals.get(shared);
    if (running && !running.givenUp) return running;
    const { cache, incoming, refusals } = this.#node;
    const retrieval: Retrieval = new Retrieval(key, target, cache, {
      plan: (signal) => planOf(this.#client, target, signal),
      fetch: (plan, signal) => this.#fetch(retrieval, plan, signal),
      incoming,
      refusals: { add: (reason, details) => refusals.add(reason, { tenant: this.#tenant, ...details }) },
    });
    this.#retrievals.set(shared, retrieval);
    const ended = (): void => {
      if (this.#retrievals.get(shared) === retrieval) this.#retrievals.delete(shared);
    };
    const kept = (): void => {
      this.#kept.retrieved(target);
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
    const forget = await this.#node.scp.expect({
      ae,
      messageId,
      senders,
      retrieval,
      alive: () => alive(),
      tenant: this.#tenant,
    });
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
