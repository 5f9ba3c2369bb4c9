import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Dispatcher } from 'undici';
import { Fault } from '../../../schema/fault.ts';
import type { ImagesConfig, Tenant } from '../../../schema/tenant.ts';
import type { CompiledExpressions } from '../ownership.ts';
import type { PixelPool } from '../pixels/pool.ts';
import type { DimseNode } from './dicom-dimse/node.ts';
import { dicomWebSource } from './dicom-web.ts';
import { openFolder, type FolderOptions } from './folder.ts';
import type { ImagingSource } from './source.ts';
import { transcoding } from './transcoding.ts';

export interface SourcesOptions {
  /** DATA_DIR: indexes of folders are kept below it. */
  dataDir: string;
  /** Seconds since the epoch. */
  now(): number;
  log: FolderOptions['log'];
  /** Decodes and compresses what sources cannot (DW-15); stays open when they close. */
  pixels: PixelPool;
  onProgress?: FolderOptions['onProgress'];
  /** Where C-MOVE delivers to us, and how much of it is kept (DW-16). */
  dimse?: { host: string; port: number; maxBytes: number };
  /** Connections to archives; dynamic tenants get guarded ones (SM-15). */
  dispatcher?: (tenant: Tenant) => Dispatcher | undefined;
}

/** A tenant's images, opened when they are first used. */
export interface TenantImages {
  config: ImagesConfig;
  /** Of its `mrn`. */
  compiled: CompiledExpressions;
  /** Names tenant and source in caches. */
  key: string;
  /** @throws Fault `bad_gateway` where the source cannot be opened */
  open(): Promise<ImagingSource>;
}

const DIMSE = { host: '127.0.0.1', port: 30_104, maxBytes: 4 * 1024 ** 3 };

/** Dynamic tenants come and go: the connections of those not used for longest are closed. */
const MAX_OPEN = 200;

/** Image sources of all tenants, each opened once: tenants over one folder or one server share it. */
export class Sources {
  private readonly options: SourcesOptions;
  private readonly known = new WeakMap<Tenant, readonly TenantImages[]>();
  private readonly opened = new LRUCache<string, Promise<ImagingSource>>({
    max: MAX_OPEN,
    dispose: (source) => void source.then((opened) => opened.close()).catch(() => undefined),
  });

  private dimse: Promise<DimseNode> | undefined;

  constructor(options: SourcesOptions) {
    this.options = options;
  }

  /** The images of a tenant, in the order of its file. */
  of(tenant: Tenant): readonly TenantImages[] {
    let images = this.known.get(tenant);
    if (!images) {
      images = tenant.images.map((config) => this.imagesOf(tenant, config));
      this.known.set(tenant, images);
    }
    return images;
  }

  private imagesOf(tenant: Tenant, config: ImagesConfig): TenantImages {
    const identity = identityOf(config);
    // What a dynamic tenant opens is its own: guarded connections, and nobody else's cache (SM-15).
    if (tenant.dynamic) identity.push(tenant.key);
    const source = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
    return {
      ...{ config, compiled: new Map() },
      key: `${tenant.key}\n${source}`,
      open: () => this.open(source, config, tenant),
    };
  }

  async close(): Promise<void> {
    const sources = [...this.opened.values()];
    await Promise.allSettled(sources.map(async (source) => (await source).close()));
    await (await this.dimse?.catch(() => undefined))?.close();
  }

  private open(key: string, config: ImagesConfig, tenant: Tenant): Promise<ImagingSource> {
    const opened = this.opened.get(key);
    if (opened) return opened;
    const begun = this.begin(key, config, tenant).then((source) => transcoding(source, this.options.pixels));
    const opening = begun.catch((cause: unknown) => {
      this.opened.delete(key);
      if (cause instanceof Fault) throw cause;
      throw new Fault('bad_gateway', 'The images cannot be opened.', { service: 'imaging', cause });
    });
    this.opened.set(key, opening);
    return opening;
  }

  private async begin(key: string, config: ImagesConfig, tenant: Tenant): Promise<ImagingSource> {
    const { dataDir, now, log, pixels, onProgress, dispatcher } = this.options;
    if (config.type === 'dicom-web') return dicomWebSource(config, now, dispatcher?.(tenant));
    if (config.type === 'dicom-dimse') {
      const { dicomDimseSource } = await import('./dicom-dimse.ts');
      return dicomDimseSource(config, await this.dimseNode(), key, pixels);
    }
    const directory = join(dataDir, 'folders');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const indexFile = join(directory, `${key}.sqlite`);
    return openFolder({ path: config.path, indexFile, log, pixels, ...(onProgress && { onProgress }) });
  }

  /** One for the process: its port and its cache are shared by all tenants. Loaded when there is use for it. */
  private dimseNode(): Promise<DimseNode> {
    const { dataDir, dimse = DIMSE } = this.options;
    this.dimse ??= import('./dicom-dimse/node.ts').then(
      ({ DimseNode }) => new DimseNode({ directory: join(dataDir, 'dimse'), ...dimse }),
    );
    this.dimse.catch(() => (this.dimse = undefined));
    return this.dimse;
  }
}

/** What tells one source from another: tenants with the same share it. */
function identityOf(config: ImagesConfig): string[] {
  switch (config.type) {
    case 'folder':
      return [config.type, config.path];
    case 'dicom-web':
      return [config.type, config.endpoint, JSON.stringify(config.authentication)];
    case 'dicom-dimse':
      return [config.type, config.endpoint, config.calledAe, config.ae, config.retrieval];
  }
}
