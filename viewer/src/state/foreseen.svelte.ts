import type { Address } from './address.ts';
import { PREVIEW } from './cell.svelte.ts';
import type { Imaging } from './imaging.ts';
import { Picture } from './picture.svelte.ts';

/** What DICOM calls a UID; an address may also name a study by the id of its resource, which DICOMweb does not know. */
const UID = /^[\d.]+$/;

/** The picture of the study that the address names, while the record is not there yet. */
export class Foreseen {
  readonly #imaging: Pick<Imaging, 'foresee'>;
  readonly #picture = new Picture();
  #study = $state<string>();

  constructor(imaging: Pick<Imaging, 'foresee'>) {
    this.#imaging = imaging;
  }

  /** Asks for the picture. */
  open({ study, series }: Address): void {
    if (study === undefined || !UID.test(study) || study === this.#study) return;
    this.#study = study;
    void this.#picture.load(() => this.#imaging.foresee({ study, series }, PREVIEW));
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
