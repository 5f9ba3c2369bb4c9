import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import { OWNER_TTL } from '../cache/study-cache.ts';
import type { Contents, Counts } from './contents.ts';

/** Milliseconds after which the instances of a study are read again, even if their number is the same. */
const CONTENTS_TTL = 300_000;
/** Instances of all studies whose contents are kept. */
const MAX_INSTANCES = 100_000;

/** An archive and the size of a study there: its number of instances, 0 if it states none. */
export interface Sized {
  /** Key of tenant and archive in caches. */
  key: string;
  size: number;
}

/**
 * The last statements of the archives of all tenants about their studies, for tenants with several archives. It decides nothing about
 * callers.
 */
export class SeenStudies {
  readonly #sizes = boundedCache<number>({ entries: 100_000 });
  readonly #absent = boundedCache<true>({ entries: 100_000, seconds: OWNER_TTL });
  readonly #contents = boundedCache<{ size: number; contents: Contents; until: number }>({
    size: MAX_INSTANCES,
    sizeOf: ({ contents }) => contents.size + 1,
  });
  readonly #unions = boundedCache<{ counts: Counts; until: number }>({ entries: 50_000 });

  /** Returns the size that an archive last stated; 0 if none. */
  size(key: string, studyUid: string): number {
    return this.#sizes.get(`${key}\n${studyUid}`) ?? 0;
  }

  /** Notes a study that an archive has for some caller. */
  note(key: string, studyUid: string, size: number): void {
    this.#sizes.set(`${key}\n${studyUid}`, size);
    this.#absent.delete(`${key}\n${studyUid}`);
  }

  /** Notes that an archive does not have a study, so that it is not asked for each frame. */
  noteAbsent(key: string, studyUid: string): void {
    this.#absent.set(`${key}\n${studyUid}`, true);
  }

  /** Notes that an archive says it no longer has a study. */
  forgetSize(key: string, studyUid: string): void {
    this.#sizes.delete(`${key}\n${studyUid}`);
  }

  /** Tells whether an archive lately did not have a study while another one had it. */
  isAbsent(key: string, studyUid: string): boolean {
    return this.#absent.has(`${key}\n${studyUid}`);
  }

  /** Returns the contents of a study, if they were read for this size. */
  contents({ key, size }: Sized, studyUid: string): Contents | undefined {
    const kept = this.#contents.get(`${key}\n${studyUid}`);
    return size > 0 && kept?.size === size && performance.now() < kept.until ? kept.contents : undefined;
  }

  /** Returns the contents that an archive last had, whatever their age. */
  lastContents(key: string, studyUid: string): Contents | undefined {
    return this.#contents.get(`${key}\n${studyUid}`)?.contents;
  }

  /** Forgets the contents of a study, which the archive does not give any more. */
  forgetContents(key: string, studyUid: string): void {
    this.#contents.delete(`${key}\n${studyUid}`);
  }

  keepContents({ key, size }: Sized, studyUid: string, contents: Contents): void {
    const until = performance.now() + CONTENTS_TTL;
    this.#contents.set(`${key}\n${studyUid}`, { size, contents, until });
  }

  /**
   * Returns the counts of the union of these archives, if they were counted for these sizes.
   * @param age `any`: also those that must be counted again, for archives that do not answer
   */
  union(studyUid: string, archives: readonly Sized[], age: 'fresh' | 'any'): Counts | undefined {
    const kept = this.#unions.get(unionKey(studyUid, archives));
    return kept && (age === 'any' || performance.now() < kept.until) ? kept.counts : undefined;
  }

  keepUnion(studyUid: string, archives: readonly Sized[], counts: Counts): void {
    const until = performance.now() + CONTENTS_TTL;
    if (archives.every(({ size }) => size > 0))
      this.#unions.set(unionKey(studyUid, archives), { counts, until });
  }

  /** Asks every archive again for the studies that it did not have. */
  invalidate(): void {
    this.#absent.clear();
  }
}

function unionKey(studyUid: string, archives: readonly Sized[]): string {
  return [studyUid, ...archives.map(({ key, size }) => `${key}\t${size}`).sort()].join('\n');
}
