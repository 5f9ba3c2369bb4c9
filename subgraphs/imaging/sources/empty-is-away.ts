import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { awayFault, SourceState } from './source-state.ts';
import type { ImagingSource, SourceQuery } from './source.ts';

/** A search that finds something in any archive that is not empty. */
const ANYTHING: SourceQuery = { level: 'study', match: new Map(), includeField: [], limit: 1 };

/**
 * Wraps a source so that a sudden empty archive counts as away. It then answers every request alike, until it has
 * content or `emptyIsAway` seconds are over (DW-23). An object that is missing from an archive with other content is
 * gone. The archive is checked when a list is empty, an object of an authorized study is not found, or a study is
 * refused.
 * @param emptyIsAway seconds
 * @param now milliseconds of a clock that never goes back
 */
export function treatEmptyAsAway(
  source: ImagingSource,
  emptyIsAway: number,
  now: () => number = () => performance.now(),
): ImagingSource {
  const guard = new EmptyArchiveGuard(source, emptyIsAway, now);
  const { retrieve, relay } = source;
  return {
    ...source,
    search: (query, signal) => guard.search(query, signal),
    metadata: (target, signal) => guard.run(() => source.metadata(target, signal)),
    frames: (target, numbers, signal) => guard.run(() => source.frames(target, numbers, signal)),
    bulkdata: (target, path, signal) => guard.run(() => source.bulkdata(target, path, signal)),
    async *retrieve(target, transferSyntax, signal) {
      const instances = retrieve.call(source, target, transferSyntax, signal)[Symbol.asyncIterator]();
      let next = await guard.run(() => instances.next());
      try {
        for (; !next.done; next = await instances.next()) yield next.value;
      } finally {
        await instances.return?.();
      }
    },
    ...(relay && {
      relay: (target, transferSyntax, boundary, signal) =>
        guard.run(() => relay.call(source, target, transferSyntax, boundary, signal)),
    }),
    ...(source.version && {
      version: (target, signal) => guard.run(() => source.version!(target, signal)),
    }),
    throwIfAway: () => guard.checkNotEmpty(),
    ...(source.check && { check: (signal) => source.check!(signal) }),
    close: () => source.close(),
  };
}

class EmptyArchiveGuard {
  readonly #source: ImagingSource;
  readonly #state: SourceState;
  /** A study that the archive had when it was last searched. */
  #study: string | undefined;

  constructor(source: ImagingSource, emptyIsAway: number, now: () => number) {
    this.#source = source;
    this.#state = new SourceState(emptyIsAway, now);
  }

  async search(query: SourceQuery, signal?: AbortSignal): Promise<DicomJson[]> {
    if (this.#state.isAway) await this.checkNotEmpty(signal);
    const rows = await this.#source.search(query, signal);
    if (rows.length > 0) this.#state.seen();
    this.#remember(rows);
    // Searches by Study Instance UID come before authorization. There is no further check after them: otherwise an
    // absent study would cost a search more than a study of another patient (IA-7).
    const namesStudy = query.studyUid !== undefined || query.match.has(Tag.StudyInstanceUID);
    const mayBeForeign = query.level !== 'instance' && namesStudy;
    if (rows.length === 0 && !mayBeForeign && this.#state.hadSomething) await this.checkNotEmpty(signal);
    return rows;
  }

  /** Runs a request. Before it answers that an object does not exist, it checks that the archive has content. */
  async run<T>(answer: () => Promise<T>): Promise<T> {
    if (this.#state.isAway) await this.checkNotEmpty();
    try {
      return await answer();
    } catch (error) {
      if (error instanceof Fault && error.code === 'not_found' && this.#state.hadSomething)
        await this.checkNotEmpty();
      throw error;
    }
  }

  /** Checks that the archive has content. @throws Fault `unavailable` while it is away */
  async checkNotEmpty(signal?: AbortSignal): Promise<void> {
    if (await this.#hasAnything(signal)) this.#state.seen();
    else if (!this.#state.seenEmpty()) throw awayFault(new Error('the archive has nothing at all'));
  }

  /** Tells whether the archive has content: by the UID of a study that it had, else by a list of one study. */
  async #hasAnything(signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#study !== undefined) {
      // Without a limit, which DIMSE implements as a cancel request of variable effect: each check costs the same
      // (IA-7).
      const match = new Map([[Tag.StudyInstanceUID as string, [this.#study]]]);
      const rows = await this.#source.search({ level: 'study', match, includeField: [] }, signal);
      if (rows.length > 0) return true;
    }
    try {
      const rows = await this.#source.search(ANYTHING, signal);
      this.#remember(rows);
      return rows.length > 0;
    } catch (error) {
      // Some archives refuse to list all studies. Then only a known study that is gone counts.
      if (!(error instanceof Fault) || this.#state.isAway || this.#study !== undefined) throw error;
      return true;
    }
  }

  #remember(rows: readonly DicomJson[]): void {
    const study = rows[0] && text(rows[0], Tag.StudyInstanceUID);
    if (study !== undefined) this.#study = study;
  }
}
