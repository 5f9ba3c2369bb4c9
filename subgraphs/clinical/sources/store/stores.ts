import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { Fault } from '../../../../schema/fault/fault.ts';
import { serverStopping } from '../../../../schema/fault/refusals.ts';
import { threadLimits, threadOptions } from '../../../../schema/process/thread-limits.ts';
import { threadModule } from '../../../../schema/process/thread-module.ts';
import type { LoadProgress } from './load.ts';
import { QueryThreads } from './query-threads.ts';
import { Store } from './store.ts';

const LOADER = threadModule('load-thread', import.meta.url);
/** Megabytes of JavaScript heap of the thread that loads: a Bundle is read as a whole. */
const HEAP = 1_024;
/** Milliseconds without work after which that thread ends. */
const IDLE = 2_000;

export interface StoresOptions {
  /** Folder for the databases. */
  directory: string;
  /** Milliseconds since the epoch. */
  now?: (() => number) | undefined;
  /** Milliseconds that a request waits for a store that is being loaded. */
  wait: number;
}

/** A store on its way. */
interface Entry {
  file: string;
  /** The store that answers: the last one that was complete. */
  store?: Store;
  /** The load that runs. */
  loading?: Promise<void>;
  progress?: LoadProgress;
  /** Receive the progress of the load that runs. */
  listeners: Set<(progress: LoadProgress) => void>;
}

/**
 * The stores of all tenants. Each is loaded in a thread, while an older one answers. Use one per process; the creator
 * closes it.
 */
export class Stores {
  readonly #options: StoresOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #threads = new QueryThreads();
  #loader: Piscina | undefined;
  #closed = false;

  constructor(options: StoresOptions) {
    this.#options = options;
  }

  /** Returns the store of the FHIR data at `path` if it is loaded. */
  atHand(path: string): Store | undefined {
    if (this.#closed) throw serverStopping();
    return this.#entries.get(path)?.store;
  }

  /**
   * Waits for the store of the FHIR data at `path`.
   * @throws Fault `unavailable` with `retryAfter` while the first load runs, and when it has failed: the next request
   * repeats it
   */
  async source(path: string): Promise<Store> {
    const entry = this.#entry(path);
    const loading = this.#load(path, entry);
    await Promise.race([loading, delay(this.#options.wait, undefined, { ref: false })]).catch(failed);
    if (!entry.store) throw stillLoading(entry.progress);
    return entry.store;
  }

  /** Returns the database of the store of the FHIR data at `path`, for a reader of its own. @throws Fault as `source` */
  async file(path: string): Promise<string> {
    await this.source(path);
    return this.#entry(path).file;
  }

  /** Returns false where a store that answers has no resource of the type. */
  mayHold(path: string, type: string): boolean {
    return this.#entries.get(path)?.store?.holds(type) ?? true;
  }

  /** Loads the FHIR data at `path`, unless nothing has changed. @throws Error that names what cannot be read */
  async prepare(path: string, onProgress: (progress: LoadProgress) => void = () => {}): Promise<void> {
    const entry = this.#entry(path);
    entry.listeners.add(onProgress);
    await this.#load(path, entry).finally(() => entry.listeners.delete(onProgress));
  }

  /** Forgets the store of a path that is not in use any more. Its file stays, and the threads close it when they are idle. */
  release(path: string | undefined, inUse: readonly (string | undefined)[]): void {
    if (path !== undefined && !inUse.includes(path)) this.#entries.delete(path);
  }

  /** Forgets the store of a path, and removes its files. */
  async discard(path: string | undefined): Promise<void> {
    if (path === undefined) return;
    const { loading, file } = this.#entry(path);
    await loading?.catch(() => undefined);
    this.#entries.delete(path);
    for (const suffix of ['', '.lock', '.building', '.building-journal'])
      await rm(file + suffix, { force: true });
  }

  /** Returns how far the stores are that cannot answer yet. */
  loading(): LoadProgress[] {
    return [...this.#entries.values()]
      .filter(({ store, loading }) => loading && !store)
      .map(({ progress }) => progress ?? { step: 'waiting', files: 0, of: 0, resources: 0 });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const ending = [...this.#entries.values()].map(({ loading }) => loading?.catch(() => undefined));
    await Promise.all([this.#threads.close(), this.#loader?.destroy()]);
    await Promise.all(ending);
  }

  #entry(path: string): Entry {
    let entry = this.#entries.get(path);
    if (!entry) {
      const name = createHash('sha256').update(path).digest('hex').slice(0, 16);
      entry = { file: join(this.#options.directory, `${name}.sqlite`), listeners: new Set() };
      this.#entries.set(path, entry);
    }
    return entry;
  }

  #load(path: string, entry: Entry): Promise<void> {
    entry.loading ??= this.#loaded(path, entry).finally(() => {
      delete entry.loading;
    });
    return entry.loading;
  }

  async #loaded(path: string, entry: Entry): Promise<void> {
    const older = await this.#opened(entry.file);
    if (older) entry.store ??= older;
    await this.#runLoader(path, entry);
    const { store } = entry;
    entry.store = (await this.#opened(entry.file)) ?? store!;
  }

  async #runLoader(path: string, entry: Entry): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (progress: LoadProgress) => {
      entry.progress = progress;
      for (const listener of entry.listeners) listener(progress);
    });
    port1.unref();
    this.#loader ??= startedLoader();
    try {
      await this.#loader.run({ path, file: entry.file, progress: port2 }, { transferList: [port2] });
    } catch (error) {
      throw this.#closed ? serverStopping() : error;
    } finally {
      port1.close();
    }
  }

  /** Returns the store in a file; undefined when there is none that this version can search. */
  async #opened(file: string): Promise<Store | undefined> {
    if (!existsSync(file)) return undefined;
    return Store.open(this.#threads, file, this.#options.now).catch(() => undefined);
  }
}

function startedLoader(): Piscina {
  const piscina = new Piscina({
    filename: LOADER.href,
    name: 'load',
    // One thread: the stores of several tenants are loaded one after another.
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE,
    resourceLimits: threadLimits(HEAP),
    execArgv: threadOptions(LOADER),
  });
  piscina.on('error', () => undefined);
  return piscina;
}

function failed(cause: unknown): never {
  if (cause instanceof Fault) throw cause;
  const message = 'The record cannot be loaded. The operator finds the reason in the log.';
  throw new Fault('unavailable', message, { service: 'clinical', retryAfter: 10, cause });
}

function stillLoading({ files, of, resources }: LoadProgress = NOTHING): Fault {
  const far = of === 0 ? '' : `: ${files} of ${of} files, ${resources.toLocaleString('en')} resources`;
  return new Fault('unavailable', `The record is being loaded${far}. Try again later.`, {
    service: 'clinical',
    retryAfter: 5,
  });
}

const NOTHING: LoadProgress = { step: 'waiting', files: 0, of: 0, resources: 0 };
