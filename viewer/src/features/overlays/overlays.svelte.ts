import type { Look } from '../../domain/overlays/overlay.ts';
import { inlineBytes } from '../../domain/documents/inline-bytes.ts';
import { text } from '../../domain/instance.ts';
import type { Trouble } from '../../data/trouble.ts';
import { kindOf, readerOf } from '../../domain/overlays/readers.ts';
import type { Target } from '../../domain/overlays/target.ts';
import type { Series, Study } from '../../domain/study.ts';
import { onePer } from '../../state/browser/one-per.ts';
import { troubleOf } from '../../state/browser/trouble-of.ts';
import type { BroughtObject } from '../../state/stage/brought.svelte.ts';
import type { Workspace } from '../../state/stage/workspace.svelte.ts';
import { pixelsOf } from './pixels-of.ts';
import { Row, type Layer } from './row.svelte.ts';

/** Further ones are drawn when somebody asks for them. */
const MOST_AT_START = 10;

/** A series whose objects could not be read. */
interface Failed {
  /** UID of its study. */
  study: string;
  series: Series;
  trouble: Trouble;
}

/** The objects of the archive that are drawn over images of the studies on the stage. One is asked for at a time. */
class Overlays {
  /** Of all studies that were looked at, in the order in which they were found. */
  #all = $state.raw<readonly Row[]>([]);
  /** Of files. */
  #brought = $state.raw<readonly Row[]>([]);
  #failed = $state.raw<readonly Failed[]>([]);
  /** True while all are hidden. */
  hidden = $state(false);
  readonly #workspace: Workspace;
  readonly #searches = new Map<string, AbortController>();
  #queue: Promise<void> = Promise.resolve();

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** Those of the studies on the stage. */
  get all(): readonly Row[] {
    const here = this.#here;
    return [...this.#all, ...this.#brought].filter(({ study }) => here.has(study));
  }

  /** Those of the studies on the stage. */
  get failed(): readonly Failed[] {
    const here = this.#here;
    return this.#failed.filter(({ study }) => here.has(study));
  }

  /** True if there is something to say. */
  get any(): boolean {
    return this.all.length > 0 || this.failed.length > 0;
  }

  get #here(): Set<string | undefined> {
    const { cells, study } = this.#workspace;
    return new Set([study, ...cells.map((cell) => cell.study)].map((one) => one?.uid));
  }

  /** Looks for the overlays of a study, once; those of studies that are no longer on the stage go. */
  find(study: Study): void {
    if (this.#searches.has(study.uid)) return;
    const here = this.#here.add(study.uid);
    for (const [uid, search] of this.#searches) {
      if (here.has(uid)) continue;
      search.abort();
      this.#searches.delete(uid);
      this.#all = this.#all.filter((row) => row.study !== uid);
      this.#failed = this.#failed.filter((one) => one.study !== uid);
    }
    if (this.#searches.size === 0) this.hidden = false;
    const search = new AbortController();
    this.#searches.set(study.uid, search);
    for (const series of study.series.filter(kindOf))
      this.#next(search.signal, () => this.#read(study, series, search.signal));
  }

  /** Takes objects of files in place of those before; who brings one wants to see it, whatever its kind. */
  bring(objects: readonly BroughtObject[]): void {
    this.#brought = objects.flatMap(({ study, instance }): Row[] => {
      const known = this.#brought.find((row) => row.instance === instance);
      const reader = readerOf(instance);
      if (known || !reader) return known ? [known] : [];
      const pixels = inlineBytes(instance['7FE00010']?.InlineBinary ?? '') ?? new Uint8Array();
      const row = new Row({ instance, reader, study }, () => Promise.resolve(pixels));
      row.shown = true;
      return [row];
    });
  }

  /** Loads what is to be drawn on an image. What is of another patient stays in the archive. */
  load(target: Target): void {
    if (this.hidden) return;
    for (const row of this.all) {
      if (!row.shown || row.trouble || !row.isNew || row.misplacedOn(target)) continue;
      const signal = this.#searches.get(row.study)?.signal;
      if (signal) this.#next(signal, () => row.load());
    }
  }

  layersOn(target: Target): Layer[] {
    return this.hidden ? [] : this.all.flatMap((row) => row.layersOn(target));
  }

  /** Returns how an image is to be shown: of several presentation states the last in the list decides. */
  lookOn(target: Target): Look | undefined {
    if (this.hidden) return undefined;
    return this.all.map((row) => row.lookOn(target)).findLast((look) => look !== undefined);
  }

  #next(signal: AbortSignal, run: () => Promise<void>): void {
    this.#queue = this.#queue.then(() => (signal.aborted ? undefined : run()));
  }

  async #read(study: Study, series: Series, signal: AbortSignal): Promise<void> {
    const at = series.location ?? study.location;
    if (!at) return;
    const { imaging } = this.#workspace;
    const name = { study: study.uid, series: series.uid };
    try {
      const instances = await imaging.metadataOf(at, name, signal);
      if (signal.aborted) return;
      // An instance that comes twice counts once.
      const unique = new Map(instances.map((one, at) => [text(one, '00080018') ?? String(at), one]));
      const rows = [...unique.values()].flatMap((instance): Row[] => {
        const reader = readerOf(instance);
        const asked = { images: imaging.images, at, name, instance, signal };
        const of = { instance, reader: reader!, study: study.uid };
        return reader ? [new Row(of, (onProgress) => pixelsOf({ ...asked, onProgress }))] : [];
      });
      let free = MOST_AT_START - this.#all.filter((row) => row.study === study.uid && row.shown).length;
      // Key objects say which images are rejected.
      for (const row of rows)
        if (row.shown && row.reader.kind !== 'key-objects' && --free < 0) row.shown = false;
      this.#all = [...this.#all, ...rows];
    } catch (error) {
      if (signal.aborted) return;
      this.#failed = [...this.#failed, { study: study.uid, series, trouble: troubleOf(error) }];
    }
  }
}

/** Returns the overlays of a workspace; each has its own. */
export const overlaysOf = onePer((workspace: Workspace) => new Overlays(workspace));
