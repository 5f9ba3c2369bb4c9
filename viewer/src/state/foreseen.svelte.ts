import type { Address } from './address.ts';
import { PREVIEW } from './cell.svelte.ts';
import type { Imaging } from './imaging.ts';
import { Picture } from './picture.svelte.ts';

/** What DICOM calls a UID; an address may also name a study by the id of its resource, which DICOMweb does not know. */
const UID = /^[\d.]+$/;

/** Milliseconds for which everything else waits for the picture. */
const PICTURE_FIRST = 800;

/** The picture of the study that the address names, while the record is not there yet. */
export class Foreseen {
  /** Ends when the picture is on the screen, or when nothing shall wait for it: other scripts would hold it up. */
  readonly drawn: Promise<void>;
  readonly #imaging: Pick<Imaging, 'foresee' | 'engine'>;
  readonly #picture = new Picture();
  #study = $state<string>();
  #goOn!: () => void;

  constructor(imaging: Pick<Imaging, 'foresee' | 'engine'>) {
    this.#imaging = imaging;
    this.drawn = new Promise((resolve) => (this.#goOn = resolve));
  }

  /** Asks for the picture, and then for the engine. */
  open({ study, series }: Address): void {
    if (study === undefined || !UID.test(study)) return this.#goOn();
    if (study === this.#study) return;
    this.#study = study;
    const picture = this.#picture.load(() => this.#imaging.foresee({ study, series }, PREVIEW));
    setTimeout(this.#goOn, PICTURE_FIRST);
    void picture.then(painted).then(this.#goOn);
    // The stage asks again, and says it if the engine does not come.
    void this.drawn.then(() => this.#imaging.engine()).catch(() => undefined);
  }

  /** The picture of a study; undefined while it has not come, and for any other study. */
  urlOf(study: string | undefined): string | undefined {
    return study !== undefined && study === this.#study ? this.#picture.url : undefined;
  }

  close(): void {
    this.#picture.close();
    this.#study = undefined;
  }
}

/** Waits until the screen has been drawn. */
function painted(): Promise<void> {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}
