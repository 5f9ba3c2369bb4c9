import { openingPlace } from '../../domain/series/opening-place.ts';
import type { Address } from '../browser/address.ts';
import { PREVIEW } from './cell.svelte.ts';
import type { FirstImage, Imaging, NamedImage } from './imaging.ts';
import { Picture } from './picture.svelte.ts';

/** A UID of DICOM; an address may also name a study by the id of its resource, which DICOMweb does not know. */
const UID = /^[\d.]+$/;

/** Milliseconds for which everything else waits for the picture, and then for the image. */
const PICTURE_FIRST = 1_500;
const IMAGE_FIRST = 500;
const SLOW_IMAGE_FIRST = 2_500;

/** An image in full quality. */
export type ForeseenImage = Pick<FirstImage, 'frame' | 'image' | 'count'> & { picture: ImageData };

type ForeseenImaging = Pick<Imaging, 'foresee' | 'firstImage' | 'engine'>;

/**
 * The study that the address names, while its record is not there yet: the picture that the server draws, then the image
 * itself. A link to an image so shows it before the page around it; on a slow line that is seconds earlier.
 */
export class Foreseen {
  /** Ends when all that comes first is on the screen, or nothing shall wait for it: other scripts would hold it up. */
  readonly drawn: Promise<void>;
  readonly #imaging: ForeseenImaging;
  readonly #picture = new Picture();
  #study = $state<string>();
  #image = $state.raw<ForeseenImage>();
  #inverted = $state(false);
  #first: FirstImage | undefined;
  #goOn!: () => void;

  constructor(imaging: ForeseenImaging) {
    this.#imaging = imaging;
    this.drawn = new Promise((resolve) => (this.#goOn = resolve));
  }

  /** Asks for the picture, for the image, and then for the engine. */
  open({ study, series, stack, image, window }: Address): void {
    if (study === undefined || !UID.test(study)) return this.#goOn();
    if (study === this.#study) return;
    this.#study = study;
    this.#inverted = false;
    const find: NamedImage['find'] = (stacks) => openingPlace(stacks, { stack, image });
    void this.#show({ study, series }, { find, window }).then(this.#goOn);
    // The stage asks again, and says it if the engine does not come.
    void this.drawn.then(() => this.#imaging.engine()).catch(() => undefined);
  }

  /** The picture of a study; undefined while it has not come, and for any other study. */
  urlOf(study: string | undefined): string | undefined {
    return this.isOf(study) ? this.#picture.url : undefined;
  }

  /** True if the picture is one of images that are read black on white, as far as that is known. */
  get inverted(): boolean {
    return this.#inverted;
  }

  /** The image of a study, as `urlOf`. */
  imageOf(study: string | undefined): ForeseenImage | undefined {
    return this.isOf(study) ? this.#image : undefined;
  }

  /** True if the address named this study: its picture and image are there, or may still come. */
  isOf(study: string | undefined): boolean {
    return study !== undefined && study === this.#study;
  }

  /** True if there is something to show of a study. */
  shows(study: string | undefined): boolean {
    return (this.urlOf(study) ?? this.imageOf(study)) !== undefined;
  }

  /** The study is on the stage, or another one is. */
  close(): void {
    this.#picture.close();
    this.#first?.close();
    this.#study = this.#image = this.#first = undefined;
  }

  async #show(
    name: { study: string; series: string | undefined },
    named: Pick<NamedImage, 'find' | 'window'>,
  ): Promise<void> {
    const picture = this.#picture.load(() => this.#imaging.foresee(name, PREVIEW)).then(painted);
    const { study, series } = name;
    const image = series !== undefined && this.#draw({ study, series, ...named }, picture);
    const hasCome = await Promise.race([picture.then(() => true), delay(PICTURE_FIRST)]);
    if (hasCome) await image;
  }

  /** Ends when the image is on the screen, or nothing shall wait for it. One that does not come is the stage's to tell. */
  async #draw(named: NamedImage, picture: Promise<void>): Promise<void> {
    const first = await this.#imaging.firstImage(named).catch(() => undefined);
    if (named.study === this.#study) this.#inverted = first?.inverted ?? false;
    // On a slow line the picture is through before this comes; else it is sooner when it is alone.
    if (!first?.isSlow()) await picture;
    if (!first || named.study !== this.#study) return first?.close();
    this.#first = first;
    const drawn = first.draw().then(
      (picture) => this.#put(first, picture),
      () => undefined,
    );
    await Promise.race([drawn.then(painted), delay(first.isSlow() ? SLOW_IMAGE_FIRST : IMAGE_FIRST)]);
  }

  #put(first: FirstImage, picture: ImageData | undefined): void {
    if (!picture || first !== this.#first) return;
    const { frame, image, count } = first;
    this.#image = { frame, image, count, picture };
  }
}

/** Waits until the screen has been drawn. */
function painted(): Promise<void> {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
