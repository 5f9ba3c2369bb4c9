import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { awayFault, SourceState } from '../source-state.ts';
import type { FolderIndex, FoundFile } from './folder-index.ts';
import { identify, isSameRoot, type RootIdentity } from './root.ts';
import type { FolderLog } from './folder-log.ts';

/** Why a folder is away, or that it is not. */
type State = 'there' | 'missing' | 'replaced' | 'empty';

export interface PresenceOptions {
  /** Absolute path of the folder. */
  path: string;
  index: FolderIndex;
  /** Seconds for which a folder that suddenly has nothing, or is another, counts as away. */
  emptyIsAway: number;
  log: FolderLog;
  onAway(): void;
  /** Told when the folder is there again: what changed meanwhile is not known. */
  onBack(): void;
}

/**
 * Whether the folder is there (DW-23). It is away while its path leads nowhere, or to another directory than was indexed,
 * or to one that suddenly has nothing of what was indexed. Another directory that has all of it is taken for the folder:
 * it was mounted anew, or copied. So is one without some of it, once `emptyIsAway` has passed; but an empty one never
 * (most likely a mount point without its disk), nor one that lacks the marker of the folder.
 */
export class FolderPresence {
  readonly #options: PresenceOptions;
  readonly #emptiness: SourceState;
  #state: State = 'there';
  /** The directory that was indexed. */
  #known: RootIdentity | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#emptiness = new SourceState(options.emptyIsAway);
    this.#known = options.index.root;
    if (options.index.hasInstances()) this.#emptiness.seen();
  }

  /** Looks now: what was true a moment ago may have ended with the disk. */
  get isThere(): boolean {
    this.#look();
    return this.#state === 'there';
  }

  /** @throws Fault `unavailable` with `retryAfter` while the folder is away */
  throwIfAway(): void {
    if (!this.isThere) throw awayFault();
  }

  /** Notes that the folder has what was indexed: it can suddenly lack it, and time has to tell anew then. */
  noteIndexed(): void {
    if (this.#state === 'there' && this.#options.index.hasInstances()) this.#emptiness.seen();
  }

  /** Finds out whether a folder that is away is back; at once where its path leads to it again. */
  async recheck(): Promise<void> {
    const now = this.#look();
    if (!now || this.#state === 'there' || this.#state === 'missing') return;
    const isWhole = await this.#has(this.#options.index.sample(), 'all');
    if (!isWhole && !(await this.#isBelieved())) return;
    this.#accept(now);
    if (isWhole) this.noteIndexed();
  }

  /**
   * Whether files that were found to be gone, marked as such in the index, are believed to be: not while the folder is
   * away, and not where nothing of what was indexed is left.
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

  #look(): RootIdentity | undefined {
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

  /** Takes a directory for the folder. */
  #accept(now: RootIdentity): void {
    const { index } = this.#options;
    // What the other directory has is not known: it is indexed as if for the first time.
    if (this.#known && !isSameRoot(this.#known, now) && !index.hasInstances()) index.setIncomplete();
    this.#known = now;
    index.setRoot(now);
    this.#become('there');
  }

  /** Whether time has told that a replaced or empty folder is meant to be as it is. */
  async #isBelieved(): Promise<boolean> {
    if (this.#state === 'replaced') {
      if (this.#known?.marker !== undefined) return false;
      const names = await readdir(this.#options.path).catch(() => []);
      if (names.length === 0) return false;
    }
    return this.#emptiness.seenEmpty();
  }

  /** Whether all of these files lie in the folder as large as they were indexed, or some in any size; of none, all do. */
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
