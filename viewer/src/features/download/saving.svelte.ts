import { Trouble } from '../../data/trouble.ts';
import type { ImageSource } from '../../data/source.ts';
import type { Series, Study } from '../../domain/study.ts';
import { saveBlob } from '../../ui/controls/save-blob.ts';

/** The file handle of a browser in which a person can choose a file to write into. */
interface FileHandle {
  createWritable(): Promise<WritableStream<Uint8Array>>;
}
type PickFile = (options: { suggestedName: string }) => Promise<FileHandle>;

type Phase = 'idle' | 'running' | 'done' | 'part' | 'cancelled' | 'nothing' | 'disk';

/** Saves the instances of series as DICOM files in one zip. */
export class Saving {
  phase = $state<Phase>('idle');
  /** Files so far. */
  done = $state(0);
  bytes = $state(0);
  /** Files there are; undefined where it is not known. */
  count = $state<number>();
  /** Why files are missing. */
  trouble = $state.raw<Trouble>();
  readonly #images: Pick<ImageSource, 'instances'>;
  #running: AbortController | undefined;

  constructor(images: Pick<ImageSource, 'instances'>) {
    this.#images = images;
  }

  cancel(): void {
    this.#running?.abort();
  }

  /** Saves series of a study. In browsers where a file can be chosen it is written while it comes; else it is kept whole. */
  async save(study: Study, series: readonly Series[], name: string): Promise<void> {
    const running = (this.#running = new AbortController());
    this.phase = 'running';
    this.done = this.bytes = 0;
    this.trouble = undefined;
    this.count = series.every(({ numberOfInstances }) => numberOfInstances !== undefined)
      ? series.reduce((sum, one) => sum + one.numberOfInstances!, 0)
      : undefined;
    try {
      await this.#write(this.#files(study, series, running.signal), name, running.signal);
      this.phase = this.trouble ? (this.done > 0 ? 'part' : 'nothing') : 'done';
    } catch (error) {
      const isCancelled =
        running.signal.aborted || (error instanceof DOMException && error.name === 'AbortError');
      this.phase = isCancelled ? 'cancelled' : 'disk';
    }
  }

  /** Yields the files. An error ends them, so that the zip has those that came. */
  async *#files(study: Study, series: readonly Series[], signal: AbortSignal) {
    for (const [index, one] of series.entries()) {
      const at = one.location ?? study.location;
      if (!at) continue;
      let number = 0;
      try {
        for await (const input of this.#images.instances(at, { study: study.uid, series: one.uid }, signal)) {
          const folder = `series-${one.number ?? `${index + 1}-without-number`}`;
          number++;
          this.done++;
          this.bytes += input.length;
          yield { name: `${folder}/${String(number).padStart(5, '0')}.dcm`, input };
        }
      } catch (error) {
        signal.throwIfAborted();
        this.trouble = error instanceof Trouble ? error : new Trouble('server', String(error));
        return;
      }
    }
  }

  async #write(
    files: AsyncIterable<{ name: string; input: Uint8Array<ArrayBuffer> }>,
    name: string,
    signal: AbortSignal,
  ): Promise<void> {
    const pick = (window as { showSaveFilePicker?: PickFile }).showSaveFilePicker;
    // Asked for first: browsers allow it right after the click alone.
    const file = pick && (await pick.call(window, { suggestedName: name }));
    const { makeZip } = await import('client-zip');
    // Nothing is compressed, since images that can be are already.
    const stream = makeZip(files);
    if (file) return stream.pipeTo(await file.createWritable(), { signal });
    const blob = await new Response(stream).blob();
    signal.throwIfAborted();
    if (this.done > 0) saveBlob(new Blob([blob], { type: 'application/zip' }), name);
  }
}
