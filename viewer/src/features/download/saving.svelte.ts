import { Trouble } from '../../data/trouble.ts';
import { fileMeta } from '../../domain/dicom/frame-places.ts';
import type { ListedFile } from '../../domain/files/dicomdir.ts';
import { uidOf } from '../../domain/files/document.ts';
import { text } from '../../domain/instance.ts';
import type { Series, Study } from '../../domain/study.ts';
import type { Imaging } from '../../state/stage/imaging.ts';
import { saveZip, type ZippedFile } from '../../ui/controls/save-zip.ts';

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
  readonly #imaging: Pick<Imaging, 'images' | 'metadataOf'>;
  #running: AbortController | undefined;

  constructor(imaging: Pick<Imaging, 'images' | 'metadataOf'>) {
    this.#imaging = imaging;
  }

  cancel(): void {
    this.#running?.abort();
  }

  /** Saves series of a study. @param isMedium for a zip with a table of contents, as on a disc */
  async save(
    study: Study,
    series: readonly Series[],
    { name, isMedium }: { name: string; isMedium: boolean },
  ): Promise<void> {
    const running = (this.#running = new AbortController());
    this.phase = 'running';
    this.done = this.bytes = 0;
    this.trouble = undefined;
    this.count = series.every(({ numberOfInstances }) => numberOfInstances !== undefined)
      ? series.reduce((sum, one) => sum + one.numberOfInstances!, 0)
      : undefined;
    try {
      const { signal } = running;
      const files = this.#files(study, series, { isMedium, signal });
      await saveZip(files, name, { signal, isWanted: () => this.done > 0 });
      this.phase = this.trouble ? (this.done > 0 ? 'part' : 'nothing') : 'done';
    } catch (error) {
      const isCancelled =
        running.signal.aborted || (error instanceof DOMException && error.name === 'AbortError');
      this.phase = isCancelled ? 'cancelled' : 'disk';
    }
  }

  /** Yields the files. An error ends them, so that the zip has those that came. */
  async *#files(
    study: Study,
    series: readonly Series[],
    { isMedium, signal }: How,
  ): AsyncGenerator<ZippedFile> {
    const listed: ListedFile[] = [];
    for (const [index, one] of series.entries()) {
      const at = one.location ?? study.location;
      if (!at) continue;
      const name = { study: study.uid, series: one.uid };
      let number = 0;
      try {
        const instances = isMedium ? await this.#imaging.metadataOf(at, name, signal) : [];
        for await (const input of this.#imaging.images.instances(at, name, signal)) {
          number++;
          this.done++;
          this.bytes += input.length;
          const folder = `series-${one.number ?? `${index + 1}-without-number`}`;
          const path = isMedium
            ? ['DICOM', numbered('S', index + 1), numbered('I', number)]
            : [folder, `${String(number).padStart(5, '0')}.dcm`];
          yield { name: path.join('/'), input };
          const meta = isMedium && fileMeta(input);
          const of = (uid: string) => instances.find((instance) => text(instance, '00080018') === uid);
          if (meta) listed.push({ path, meta, metadata: of(meta.uid) ?? instances[0] ?? {} });
        }
      } catch (error) {
        signal.throwIfAborted();
        this.trouble = error instanceof Trouble ? error : new Trouble('server', String(error));
        break;
      }
    }
    if (!isMedium) return;
    const { writeDicomdir } = await import('../../domain/files/dicomdir.ts');
    yield { name: 'DICOMDIR', input: writeDicomdir(listed, uidOf(crypto.randomUUID())) };
  }
}

interface How {
  /** True for a zip as it is written on a disc: with a table of contents. */
  isMedium: boolean;
  signal: AbortSignal;
}

/** Names on a medium have at most eight characters (PS3.10 §8.5). */
const numbered = (letter: string, number: number): string => letter + String(number).padStart(7, '0');
