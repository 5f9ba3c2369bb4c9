import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { awayFault, SourceState } from '../source-state.ts';
import type { FolderIndex, FoundFile } from './folder-index.ts';
import { identify, isSameRoot, type RootIdentity } from './root.ts';
import type { FolderLog } from './folder-log.ts';

/** The reason why a folder is away, or `there`. */
type State = 'there' | 'missing' | 'replaced' | 'empty';

export interface PresenceOptions {
  /** Absolute path of the folder. */
  path: string;
  index: FolderIndex;
  /** Seconds for which a suddenly empty or replaced folder counts as away. */
  emptyIsAway: number;
  log: FolderLog;
  onAway(): void;
  /** Called when the folder is there again. Changes in between are not known. */
  onBack(): void;
}

/**
 * Decides whether the folder is there (DW-23). It is away while its path is missing, leads to another directory than
 * the indexed one, or to one that suddenly has none of the indexed files. Another directory is accepted at once if it
 * has all of the files, because it was mounted again or copied. One without some of them is accepted after
 * `emptyIsAway` seconds. An empty one (most likely a mount point without its disk) is never accepted, nor one without
 * the marker of the folder.
 */
export class FolderPresence {
  readonly #options: PresenceOptions;
  readonly #emptiness: SourceState;
  #state: State = 'there';
  /** Identity of the indexed directory. */
  #known: RootIdentity | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#emptiness = new SourceState(options.emptyIsAway);
    this.#known = options.index.root;
    if (options.index.hasInstances()) this.#emptiness.seen();
  }

  /** Checks now, because a disk may fail at any moment. */
  get isThere(): boolean {
    this.#inspect();
    return this.#state === 'there';
  }

  /** Refuses with Fault `unavailable` and `retryAfter` while the folder is away. */
  throwIfAway(): void {
    if (!this.isThere) throw awayFault(new Error(`the folder ${this.#options.path} is ${this.#state}`));
  }

  /** Notes that the folder has the indexed files, so that it counts as away for the full time when it loses them. */
  noteIndexed(): void {
    if (this.#state === 'there' && this.#options.index.hasInstances()) this.#emptiness.seen();
  }

  /** Checks whether a folder that is away is back. */
  async recheck(): Promise<void> {
    const now = this.#inspect();
    if (!now || this.#state === 'there' || this.#state === 'missing') return;
    const isWhole = await this.#has(this.#options.index.sample(), 'all');
    if (!isWhole && !(await this.#isBelieved())) return;
    this.#accept(now);
    if (isWhole) this.noteIndexed();
  }

  /**
   * Tells whether the files that the index marks as gone may be removed: not while the folder is away, and not when
   * none of the indexed files is left.
   */
  async believesGone(): Promise<boolean> {
    const { index } = this.#options;
    if (!this.isThere) return false;
    const hasSome = !index.hasInstances() || (await this.#has(index.sampleOfRest(), 'some'));
    if (!this.isThere) return false;
    if (hasSome || this.#emptiness.seenEmpty()) return true;
    this.#become('empty');
    return false;
  }

  #inspect(): RootIdentity | undefined {
    const now = identify(this.#options.path);
    if (!now) this.#become('missing');
    else if (!this.#known) this.#accept(now);
    else if (!isSameRoot(this.#known, now)) this.#become('replaced');
    else if (this.#state === 'missing' || this.#state === 'replaced') {
      this.#become('there');
      this.noteIndexed();
    }
    return now;
  }

  /** Accepts a directory as the folder. */
  #accept(now: RootIdentity): void {
    const { index } = this.#options;
    // The content of the other directory is unknown, so it is indexed as if for the first time.
    if (this.#known && !isSameRoot(this.#known, now) && !index.hasInstances()) index.setIncomplete();
    this.#known = now;
    index.setRoot(now);
    this.#become('there');
  }

  /** Tells whether a replaced or empty folder may be accepted now. */
  async #isBelieved(): Promise<boolean> {
    if (this.#state === 'replaced') {
      if (this.#known?.marker !== undefined) return false;
      const names = await readdir(this.#options.path).catch(() => []);
      if (names.length === 0) return false;
    }
    return this.#emptiness.seenEmpty();
  }

  /**
   * Tells whether the folder has all of these files with their indexed size, or some of any size. All of none is true.
   */
  async #has(files: readonly FoundFile[], howMany: 'all' | 'some'): Promise<boolean> {
    const isThere = async ({ path, size }: FoundFile): Promise<boolean> => {
      const stat = await lstat(join(this.#options.path, path)).catch(() => undefined);
      return stat !== undefined && (howMany === 'some' || stat.size === size);
    };
    for (const file of files) if ((await isThere(file)) !== (howMany === 'all')) return howMany === 'some';
    return howMany === 'all';
  }

  #become(state: State): void {
    const before = this.#state;
    if (before === state) return;
    this.#state = state;
    const { log, onAway, onBack } = this.#options;
    if (state === 'there') {
      log.info('the folder is there again');
      onBack();
    } else {
      log.error({ reason: state }, 'the folder is away: it answers 503, and its index is kept');
      if (before === 'there') onAway();
    }
  }
}
