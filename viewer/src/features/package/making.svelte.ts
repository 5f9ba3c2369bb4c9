import type { RecordSource } from '../../data/source.ts';
import { Trouble } from '../../data/trouble.ts';
import { framesOf } from '../../domain/grey/frames.ts';
import type { MissingImages } from '../../domain/package/content.ts';
import { loadedOnce } from '../../domain/loaded-once.ts';
import { troubleOf } from '../../state/browser/trouble-of.ts';
import type { Imaging } from '../../state/stage/imaging.ts';
import { saveZip } from '../../ui/controls/save-zip.ts';
import { openingFiles } from './opening-files.ts';
import { Packing, TooMuch, type PlacedSeries, type Wanted } from './packing.ts';

type Phase = 'idle' | 'running' | 'done' | 'cancelled' | 'failed' | 'too-much' | 'disk';

/** The script of the page of a package, which the build makes beside this page. */
const script = loadedOnce(async () => {
  const answer = await fetch(new URL('package/viewer.js', document.baseURI)).catch(() => undefined);
  if (!answer?.ok) throw new Trouble(answer ? 'server' : 'offline', 'the page of a package did not arrive');
  return answer.text();
});

/** Makes a take-along package, and tells how far it is. */
export class Making {
  phase = $state<Phase>('idle');
  /** Files of images so far, and their bytes. */
  done = $state(0);
  bytes = $state(0);
  missing = $state.raw<readonly MissingImages[]>([]);
  /** Why nothing was made. */
  trouble = $state.raw<Trouble>();
  readonly #imaging: Pick<Imaging, 'images' | 'metadataOf'>;
  readonly #records: Pick<RecordSource, 'trend'>;
  #running: AbortController | undefined;

  constructor(imaging: Pick<Imaging, 'images' | 'metadataOf'>, records: Pick<RecordSource, 'trend'>) {
    this.#imaging = imaging;
    this.#records = records;
  }

  cancel(): void {
    this.#running?.abort();
  }

  /** Returns the bytes that a package of series has at most, as far as metadata say it. @throws Trouble */
  async sizeOf(study: string, series: readonly PlacedSeries[], signal: AbortSignal): Promise<number> {
    const [code, ...all] = await Promise.all([
      script(),
      ...series.map(({ location, uid }) =>
        this.#imaging.metadataOf(location, { study, series: uid }, signal).catch((error: unknown) => {
          signal.throwIfAborted();
          if (error instanceof Trouble) return [];
          throw error;
        }),
      ),
    ]);
    const pixels = all.flat().flatMap((instance) => framesOf({ study, series: '' }, instance));
    // Base64 has four characters for three bytes.
    return code.length + (pixels.reduce((sum, { bytes }) => sum + bytes, 0) * 4) / 3;
  }

  /** Makes it, right after a click: see `saveZip`. */
  async make(wanted: Wanted, name: string): Promise<void> {
    const { signal } = (this.#running = new AbortController());
    this.phase = 'running';
    this.done = this.bytes = 0;
    this.missing = [];
    this.trouble = undefined;
    try {
      const onProgress = (made: { done: number; bytes: number }) => Object.assign(this, made);
      await saveZip(this.#files(wanted, { signal, onProgress }), name, { signal });
      this.phase = 'done';
    } catch (error) {
      this.phase = phaseOf(error, signal);
      if (this.phase === 'failed') this.trouble = troubleOf(error);
    }
  }

  async *#files(wanted: Wanted, options: ConstructorParameters<typeof Packing>[2]) {
    const code = await script();
    const packing = new Packing(wanted, { imaging: this.#imaging, records: this.#records }, options);
    yield* packing.files((facts) => openingFiles(code, facts));
    this.missing = packing.missing;
  }
}

function phaseOf(error: unknown, signal: AbortSignal): Phase {
  const isCancelled = signal.aborted || (error instanceof DOMException && error.name === 'AbortError');
  if (isCancelled) return 'cancelled';
  if (error instanceof TooMuch) return 'too-much';
  return error instanceof Trouble ? 'failed' : 'disk';
}
