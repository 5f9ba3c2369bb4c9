import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuiltTable } from './build.ts';
import { unopened } from './failed.ts';

/** The description of a dataset, beside its tables. */
export interface DatasetManifest {
  /** Its name; a later one sorts after it. */
  version: string;
  /** FHIR instant of the data: at which the build began, unless they are from elsewhere. */
  time: string;
  /** Content that it was built of: the same text means the same data. */
  source: string;
  tables: readonly BuiltTable[];
}

/** A dataset that is complete. */
export interface Dataset extends DatasetManifest {
  /** Absolute path of its folder. */
  folder: string;
}

/** A dataset that is not removed until it is given back. */
export interface DatasetLease {
  dataset: Dataset;
  release(): Promise<void>;
}

const MANIFEST = 'dataset.json';
const VERSION = /^\d{8}T\d{9}Z-[0-9a-f]{8}$/;
/** Folder of a build that runs. */
const BUILDING = 'building';

/**
 * The datasets of one tenant: one that answers, older ones while they are used, and one that is built. A folder is renamed
 * when it is complete, so that a build that fails or is killed leaves the last one. One process writes them.
 */
export class Datasets {
  readonly #root: string;
  readonly #now: () => number;
  readonly #uses = new Map<string, number>();
  #current: Promise<Dataset | undefined> | undefined;
  #building: Promise<Dataset> | undefined;

  /**
   * @param root folder of this tenant's datasets alone; created when needed
   * @param now milliseconds since the epoch
   */
  constructor(root: string, now: () => number = Date.now) {
    this.#root = root;
    this.#now = now;
  }

  /** Returns the newest complete dataset; undefined when there is none yet. */
  async current(): Promise<Dataset | undefined> {
    this.#current ??= this.#newest().catch((error: unknown) => {
      this.#current = undefined;
      throw unopened(error);
    });
    return this.#current;
  }

  /** Keeps the newest dataset until it is released. */
  async use(): Promise<DatasetLease | undefined> {
    const dataset = await this.current();
    if (!dataset) return undefined;
    const { version } = dataset;
    this.#uses.set(version, (this.#uses.get(version) ?? 0) + 1);
    let isReleased = false;
    return {
      dataset,
      release: async () => {
        if (isReleased) return;
        isReleased = true;
        this.#uses.set(version, this.#uses.get(version)! - 1);
        await this.#removeUnused();
      },
    };
  }

  /**
   * Builds a new dataset, which then replaces the last one. A build that runs already is waited for.
   * @param source what it is built of; nothing is built when the newest one is of the same
   * @param write writes the tables into a folder
   * @param time of the data; by default that at which the build begins
   * @throws what `write` throws: the last dataset then stays
   */
  build(
    source: string,
    write: (folder: string) => Promise<readonly BuiltTable[]>,
    time?: Date,
  ): Promise<Dataset> {
    this.#building ??= this.#built(source, write, time).finally(() => {
      this.#building = undefined;
    });
    return this.#building;
  }

  async #built(
    source: string,
    write: (folder: string) => Promise<readonly BuiltTable[]>,
    of: Date | undefined,
  ): Promise<Dataset> {
    const known = await this.current();
    if (known?.source === source) return known;
    const now = new Date(this.#now());
    const time = (of ?? now).toISOString();
    const version = `${now.toISOString().replace(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`;
    const building = join(this.#root, BUILDING);
    await rm(building, { recursive: true, force: true });
    await mkdir(building, { recursive: true, mode: 0o700 });
    try {
      const manifest: DatasetManifest = { version, time, source, tables: await write(building) };
      await writeFile(join(building, MANIFEST), JSON.stringify(manifest), { mode: 0o600, flush: true });
      const folder = join(this.#root, version);
      await rename(building, folder);
      const dataset = { ...manifest, folder };
      this.#current = Promise.resolve(dataset);
      await this.#removeUnused();
      return dataset;
    } catch (error) {
      await rm(building, { recursive: true, force: true }).catch(() => {});
      throw error;
    }
  }

  async #newest(): Promise<Dataset | undefined> {
    // Left by a process that was killed.
    await rm(join(this.#root, BUILDING), { recursive: true, force: true });
    const names = await readdir(this.#root).catch(noneIfMissing([]));
    for (const version of names
      .filter((name) => VERSION.test(name))
      .sort()
      .reverse()) {
      const folder = join(this.#root, version);
      const text = await readFile(join(folder, MANIFEST), 'utf8').catch(noneIfMissing(undefined));
      if (text !== undefined) return { ...(JSON.parse(text) as DatasetManifest), folder };
    }
    return undefined;
  }

  /** Removes all versions but the newest, and those that are used. */
  async #removeUnused(): Promise<void> {
    const newest = (await this.current())?.version;
    for (const name of await readdir(this.#root)) {
      if (!VERSION.test(name) || name === newest || (this.#uses.get(name) ?? 0) > 0) continue;
      this.#uses.delete(name);
      await rm(join(this.#root, name), { recursive: true, force: true });
    }
  }

  /** Removes everything: the tenant is gone. */
  async remove(): Promise<void> {
    await this.#building?.catch(() => {});
    this.#current = Promise.resolve(undefined);
    await rm(this.#root, { recursive: true, force: true });
  }
}

/** Returns a handler of errors that takes nothing for what is not there. @throws all other errors */
const noneIfMissing =
  <T>(none: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT') return none;
    throw error;
  };
