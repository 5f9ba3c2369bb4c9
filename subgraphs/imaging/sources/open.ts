import type { FastifyBaseLogger } from 'fastify';
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import { OBJECT_ELEMENTS } from '../../../schema/dicom/dicom.ts';
import { tagOf } from '../../../schema/dicom/dictionary.ts';
import type { ExpressionPool } from '../../../schema/expressions/pool.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { ChooseDispatcher } from '../../../schema/outbound/choose-dispatcher.ts';
import { RETRY_SECONDS } from '../../../schema/outbound/unreachable.ts';
import type { ImagesConfig, Tenant } from '../../../schema/tenant/tenant.ts';
import { CONNECTIONS, EMPTY_IS_AWAY } from '../../../schema/tenant/tenant-file.ts';
import { mrnPaths, type EvaluatePath } from './mrn-paths.ts';
import type { Parsing, ParsingThreads } from '../threads/parsing-threads.ts';
import type { PixelPool } from '../threads/pool.ts';
import type { DimseNode, DimseNodeOptions } from './dicom-dimse/node.ts';
import { dicomWebSource } from './dicom-web.ts';
import { openFolder } from './folder.ts';
import type { FolderOptions } from './folder/folder-options.ts';
import type { ImagingSource } from './source.ts';
import { CircuitBreakers, type AwaySource } from '../../../schema/outbound/circuit-breakers.ts';
import type { CircuitBreaker } from '../../../schema/outbound/circuit-breaker.ts';
import { EmptyArchive } from './empty-archive.ts';
import { lateFault } from './timeout.ts';
import { InstanceReader } from './stored/instance-reader.ts';

export interface SourcesOptions {
  /** DATA_DIR, which has the indexes of folders. */
  dataDir: string;
  /** Seconds since the epoch. */
  now(): number;
  log: FastifyBaseLogger;
  /** Transcodes pixels that sources cannot (DW-15). Stays open when they close. */
  pixels: PixelPool;
  /** Parse objects of sources. Stay open when they close. */
  threads: ParsingThreads;
  /** Evaluates paths in other threads. Stays open when sources close. */
  expressions: ExpressionPool;
  onProgress?: FolderOptions['onProgress'];
  /** Called with the reason for each object, and each DIMSE association, of a source that is refused (DW-26). */
  onRefused?: (source: ImagesConfig['type'], reason: string) => void;
  /** Address for C-MOVE to deliver to, with its certificates, and bytes of the cache (DW-16). */
  dimse?: Pick<DimseNodeOptions, 'host' | 'port' | 'maxBytes' | 'tls'>;
  /** Connections to archives. Dynamic tenants get guarded ones (SM-15). */
  dispatcher?: ChooseDispatcher;
}

/** A source that is open for all tenants with the same settings, and what transcodes its objects (DW-15). */
export interface OpenedSource {
  source: ImagingSource;
  /** Undefined for a folder, which detects by itself that it is away. */
  emptyArchive: EmptyArchive | undefined;
  reader: InstanceReader;
  pixels: PixelPool;
  threads: ParsingThreads;
}

/** An image source of a tenant, opened at its first use. */
export interface TenantImages {
  config: ImagesConfig;
  /** Returns the evaluation of its `mrn` for one request. */
  mrnPaths(): EvaluatePath;
  /** Key of tenant and source in caches. */
  key: string;
  /** Place in the tenant file, and type: `images[0] (folder)`. */
  place: string;
  /** Remembers that the source does not answer. A folder has none: it finds out at once that it is away. */
  breaker: CircuitBreaker | undefined;
  /** Opens the source. @throws Fault `bad_gateway` when it cannot be opened */
  open(): Promise<OpenedSource>;
}

/** A source to open. */
interface Opening {
  /** Name among the open ones. */
  key: string;
  config: ImagesConfig;
  tenant: Tenant;
  breaker: CircuitBreaker | undefined;
}

const DIMSE = { host: '127.0.0.1', port: 30_104, maxBytes: 4 * 1024 ** 3 };

/** Number of open sources. The least recently used are closed, because dynamic tenants come and go. */
const MAX_OPEN = 200;

/** Image sources of all tenants, each opened once. Tenants with the same folder or server share it. */
export class Sources {
  readonly #options: SourcesOptions;
  readonly #known = new WeakMap<Tenant, readonly TenantImages[]>();
  readonly #opened = boundedCache<Promise<OpenedSource>>({
    entries: MAX_OPEN,
    dispose: (opened) => void opened.then(({ source }) => source.close()).catch(() => undefined),
  });

  readonly #breakers: CircuitBreakers;
  #dimse: Promise<DimseNode> | undefined;

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.#breakers = new CircuitBreakers(options.log);
  }

  /** Returns the image sources of a tenant, in the order of its file. */
  of(tenant: Tenant): readonly TenantImages[] {
    let images = this.#known.get(tenant);
    if (!images) {
      images = tenant.images.map((config, at) =>
        this.#imagesOf(tenant, config, `images[${at}] (${config.type})`),
      );
      this.#known.set(tenant, images);
    }
    return images;
  }

  /** Returns the sources that do not answer, of tenants that have used them. */
  away(): AwaySource[] {
    return this.#breakers.away();
  }

  #imagesOf(tenant: Tenant, config: ImagesConfig, place: string): TenantImages {
    const key = sourceKey(tenant, config);
    const breaker = config.type === 'folder' ? undefined : this.#breakerOf(tenant, config, place);
    return {
      config,
      place,
      breaker,
      mrnPaths: mrnPaths(tenant, config.mrn, this.#options.expressions),
      key: `${tenant.cacheKey}\n${key}`,
      open: () => this.#open({ key, config, tenant, breaker }),
    };
  }

  #breakerOf(tenant: Tenant, config: Exclude<ImagesConfig, { type: 'folder' }>, place: string) {
    const { endpoint: address, patience } = config;
    const silence = (cause: Error): Fault => lateFault(RETRY_SECONDS, cause);
    const source = { kind: 'archive', address, patience: patience * 1000, silence };
    return this.#breakers.of(hashOf(accessOf(tenant, config)), source, { tenant, place });
  }

  /** Closes the sources of a tenant that was replaced. @param inUse tenants that may have the same ones */
  release(tenant: Tenant, inUse: readonly Tenant[]): void {
    const keys = (one: Tenant): string[] => one.images.map((config) => sourceKey(one, config));
    const kept = new Set(inUse.flatMap(keys));
    for (const key of keys(tenant)) if (!kept.has(key)) this.#opened.delete(key);
    this.#breakers.release(tenant);
  }

  async close(): Promise<void> {
    this.#breakers.close();
    const opened = [...this.#opened.values()];
    await Promise.allSettled(opened.map(async (one) => (await one).source.close()));
    await (await this.#dimse?.catch(() => undefined))?.close();
  }

  #open(opening: Opening): Promise<OpenedSource> {
    const { key, config, tenant } = opening;
    const known = this.#opened.get(key);
    if (known) return known;
    const { pixels, threads } = this.#options;
    const parsing = { threads, objectElements: tenant.limits.objectElements };
    const begun = this.#begin(opening, parsing).then((source) => {
      const emptyArchive =
        config.type === 'folder' ? undefined : new EmptyArchive(source, config.emptyIsAway);
      return { source, emptyArchive, reader: new InstanceReader(parsing), pixels, threads };
    });
    const opened = begun.catch((cause: unknown) => {
      this.#opened.delete(key);
      if (cause instanceof Fault) throw cause;
      throw new Fault('bad_gateway', 'The images cannot be opened.', { service: 'imaging', cause });
    });
    this.#opened.set(key, opened);
    return opened;
  }

  async #begin({ key, config, tenant, breaker }: Opening, parsing: Parsing): Promise<ImagingSource> {
    const { dataDir, now, log, pixels, onProgress, dispatcher, onRefused } = this.#options;
    const onOtherObject = () => onRefused?.(config.type, 'other object');
    if (config.type === 'dicom-web')
      return dicomWebSource(config, now, parsing, {
        dispatcher: dispatcher?.(tenant, config.tls),
        breaker,
        onOtherObject,
      });
    if (config.type === 'dicom-dimse') {
      const { dicomDimseSource } = await import('./dicom-dimse.ts');
      const node = await this.#dimseNode();
      return dicomDimseSource(config, node, { key, tenant: tenant.key, pixels, parsing, breaker });
    }
    const directory = join(dataDir, 'folders');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const indexFile = join(directory, `${key}.sqlite`);
    return openFolder({
      path: config.path,
      emptyIsAway: config.emptyIsAway,
      indexFile,
      more: tagsForAnalysts(tenant),
      // Tenants with the same folder share it: the line has the tenant that opened it.
      log: log.child({ tenant: tenant.key, folder: config.path }),
      pixels,
      parsing,
      onOtherObject,
      ...(onProgress && { onProgress }),
    });
  }

  /** Returns the DIMSE node, loaded at its first use. All tenants share its port and cache. */
  #dimseNode(): Promise<DimseNode> {
    const { dataDir, dimse = DIMSE, threads, log, onRefused } = this.#options;
    this.#dimse ??= import('./dicom-dimse/node.ts').then(
      ({ DimseNode }) =>
        new DimseNode({
          directory: join(dataDir, 'dimse'),
          ...dimse,
          threads,
          log,
          onRefused: (reason) => onRefused?.('dicom-dimse', reason),
        }),
    );
    this.#dimse.catch(() => (this.#dimse = undefined));
    return this.#dimse;
  }
}

/** Returns the name of a source among the open ones: tenants with the same settings share it. */
function sourceKey(tenant: Tenant, config: ImagesConfig): string {
  const identity = accessOf(tenant, config);
  const { objectElements } = tenant.limits;
  if (objectElements !== OBJECT_ELEMENTS) identity.push(String(objectElements));
  const connections = config.type !== 'folder' && JSON.stringify(config.connections);
  if (connections && connections !== JSON.stringify(CONNECTIONS[config.type])) identity.push(connections);
  const more = config.type === 'folder' ? tagsForAnalysts(tenant) : [];
  if (more.length > 0) identity.push(`more ${more.join()}`);
  if (config.emptyIsAway !== EMPTY_IS_AWAY) identity.push(`empty ${config.emptyIsAway}`);
  return hashOf(identity);
}

/** Returns the attributes that the tables of a tenant have of each object, besides those of every index. */
export const tagsForAnalysts = ({ analysis: { enabled, dicom } }: Tenant): string[] =>
  enabled ? dicom.map((keyword) => tagOf(keyword)!).sort() : [];

const hashOf = (identity: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);

/** Returns the address and the credentials of a source. */
function accessOf(tenant: Tenant, config: ImagesConfig): string[] {
  const access = identityOf(config);
  if (config.type !== 'folder' && config.tls) access.push(`tls ${JSON.stringify(config.tls)}`);
  // A dynamic tenant shares no source, because it has guarded connections and a separate cache (SM-15).
  if (tenant.dynamic) access.push(tenant.key);
  return access;
}

/** Returns the settings that identify a source. */
function identityOf(config: ImagesConfig): string[] {
  switch (config.type) {
    case 'folder':
      return [config.type, config.path];
    case 'dicom-web':
      return [config.type, config.endpoint, JSON.stringify(config.authentication)];
    case 'dicom-dimse':
      return [
        config.type,
        config.endpoint,
        config.calledAe,
        config.ae,
        config.retrieval,
        ...(config.senders ? [JSON.stringify(config.senders)] : []),
      ];
  }
}
