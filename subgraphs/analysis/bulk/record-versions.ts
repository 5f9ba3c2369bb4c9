import { existsSync } from 'node:fs';
import { copyFile, link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyWithout, type IdsByType } from './ndjson.ts';

/** Description of the files of a record. */
export interface RecordState {
  /** The EHR, and the Group: of another one they say nothing. */
  source: string;
  types: readonly string[];
  /** FHIR instant up to which they have all changes: `transactionTime` of the last export, but not after its begin. */
  time: string;
  /** Milliseconds since the epoch at which the last export of everything began. */
  wholeAt: number;
  /** Number of the last export. */
  run: number;
}

const RUN = /^\d+$/;
/** Among the files: it is replaced with them. The store reads only `.json` and `.ndjson`. */
const STATE = 'state';

/**
 * The NDJSON files of a record below one folder: those of each export in a folder of its own, in the order of time. Of two
 * versions of a resource the store takes the last. A new state is written beside, and put in place by a rename. One process
 * writes them.
 */
export class RecordVersions {
  /** The folder that the store loads. */
  readonly path: string;
  readonly #root: string;
  readonly #building: string;
  readonly #next: string;
  readonly #old: string;

  /** @param root absolute path of a folder of its own; created when needed */
  constructor(root: string) {
    this.#root = root;
    this.path = recordPath(root);
    this.#building = join(root, 'building');
    this.#next = join(root, 'next');
    this.#old = join(root, 'old');
  }

  /** Ends what the last process did not end. @returns the state of the files; undefined when there are none of the source */
  async open(source: string): Promise<RecordState | undefined> {
    if (existsSync(this.#next)) await this.#swap();
    for (const rest of [this.#building, this.#old]) await rm(rest, { recursive: true, force: true });
    const state = await readFile(join(this.path, STATE), 'utf8')
      .then((text) => JSON.parse(text) as RecordState)
      .catch(() => undefined);
    if (state?.source === source) return state;
    await rm(this.path, { recursive: true, force: true });
    return undefined;
  }

  /** Returns an empty folder for the files of a run. They are named `{type}.{anything}.ndjson`. */
  async begin(run: number): Promise<string> {
    await rm(this.#building, { recursive: true, force: true });
    const folder = join(this.#building, nameOf(run));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  /** Puts the files of the run that was begun in the place of all others. */
  async replace(state: RecordState): Promise<void> {
    await this.#describe(this.#building, state);
    await rename(this.#building, this.#next);
    await this.#swap();
  }

  /** Adds the files of the run that was begun to the others, from which it takes the deleted resources. */
  async add(state: RecordState, deleted: IdsByType): Promise<void> {
    const files = await readdir(join(this.#building, nameOf(state.run)));
    if (files.length === 0 && deleted.size === 0) {
      await rm(this.#building, { recursive: true, force: true });
      return this.#describe(this.path, state);
    }
    for (const run of await readdir(this.path)) {
      if (!RUN.test(run)) continue;
      const [from, to] = [join(this.path, run), join(this.#building, run)];
      await mkdir(to, { mode: 0o700 });
      for (const name of await readdir(from)) {
        const ids = deleted.get(name.slice(0, name.indexOf('.')));
        if (ids) await copyWithout(join(from, name), join(to, name), ids);
        else await linkOrCopy(join(from, name), join(to, name));
      }
    }
    await this.replace(state);
  }

  /** Removes everything. */
  async remove(): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
  }

  /** A process that is killed in between does it again. */
  async #swap(): Promise<void> {
    await rm(this.#old, { recursive: true, force: true });
    if (existsSync(this.path)) await rename(this.path, this.#old);
    await rename(this.#next, this.path);
    await rm(this.#old, { recursive: true, force: true });
  }

  /** Replaces the description at once, so that none is half written. */
  async #describe(folder: string, state: RecordState): Promise<void> {
    const file = join(folder, STATE);
    await writeFile(`${file}.new`, JSON.stringify(state), { mode: 0o600, flush: true });
    await rename(`${file}.new`, file);
  }
}

/** Returns the folder that the store loads. @param root folder of the record alone */
export const recordPath = (root: string): string => join(root, 'record');

/** Later runs sort after earlier ones. */
const nameOf = (run: number): string => String(run).padStart(9, '0');

async function linkOrCopy(from: string, to: string): Promise<void> {
  // Some file systems have no links.
  await link(from, to).catch(() => copyFile(from, to));
}
