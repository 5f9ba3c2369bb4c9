import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { awayFault, SourceState } from './source-state.ts';
import type { ImagingSource, SourceQuery } from './source.ts';

/** A search that finds something in any archive that is not empty. */
const ANYTHING: SourceQuery = { level: 'study', match: new Map(), includeField: [], limit: 1 };

/**
 * Watches for a sudden empty archive, which counts as away (DW-23). It then answers every request alike, until it has
 * content or `emptyIsAway` seconds are over. An object that is missing from an archive with other content is gone. The
 * archive is checked when a list is empty, an object of an authorized study is not found, or a study is refused.
 */
export class EmptyArchive {
  readonly #source: ImagingSource;
  readonly #state: SourceState;
  /** A study that the archive had when it was last searched. */
  #study: string | undefined;

  /** @param emptyIsAway seconds */
  constructor(source: ImagingSource, emptyIsAway: number) {
    this.#source = source;
    this.#state = new SourceState(emptyIsAway);
  }

  /** Searches the archive. Before it answers that it found nothing, it checks that the archive has content. */
  async search(query: SourceQuery): Promise<DicomJson[]> {
    if (this.#state.isAway) await this.checkNotEmpty();
    const rows = await this.#source.search(query);
    if (rows.length > 0) this.#state.seen();
    this.#remember(rows);
    // Searches by Study Instance UID come before authorization. There is no further check after them: otherwise an
    // absent study would cost a search more than a study of another patient (IA-7).
    const namesStudy = query.studyUid !== undefined || query.match.has(Tag.StudyInstanceUID);
    const mayBeForeign = query.level !== 'instance' && namesStudy;
    if (rows.length === 0 && !mayBeForeign && this.#state.hadSomething) await this.checkNotEmpty();
    return rows;
  }

  /** Runs work with the archive. Before it fails with `not_found`, it checks that the archive has content. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#state.isAway) await this.checkNotEmpty();
    try {
      return await work();
    } catch (error) {
      if (error instanceof Fault && error.code === 'not_found' && this.#state.hadSomething)
        await this.checkNotEmpty();
      throw error;
    }
  }

  /** Checks that the archive has content. @throws Fault `unavailable` while it is away */
  async checkNotEmpty(): Promise<void> {
    if (await this.#hasAnything()) this.#state.seen();
    else if (!this.#state.seenEmpty()) throw awayFault(new Error('the archive has nothing at all'));
  }

  /** Tells whether the archive has content: by the UID of a study that it had, else by a list of one study. */
  async #hasAnything(): Promise<boolean> {
    if (this.#study !== undefined) {
      // Without a limit, which DIMSE implements as a cancel request of variable effect: each check costs the same
      // (IA-7).
      const match = new Map([[Tag.StudyInstanceUID as string, [this.#study]]]);
      const rows = await this.#source.search({ level: 'study', match, includeField: [] });
      if (rows.length > 0) return true;
    }
    try {
      const rows = await this.#source.search(ANYTHING);
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

/** Runs work with a source, as `EmptyArchive.run` does where the source is an archive. */
export function unlessAway<T>(
  { source, emptyArchive }: { source: ImagingSource; emptyArchive: EmptyArchive | undefined },
  work: (source: ImagingSource) => Promise<T>,
): Promise<T> {
  return emptyArchive ? emptyArchive.run(() => work(source)) : work(source);
}
