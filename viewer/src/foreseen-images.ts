import type { ImageSource } from './data/source.ts';
import { Trouble } from './data/trouble.ts';
import type { ImageLocation } from './domain/study.ts';
import type { PictureSize } from './state/stage/imaging.ts';

interface Named {
  study: string;
  series?: string | undefined;
  instance?: string;
}

/**
 * Asks for what the address names before the record has come. Who asks for the same then gets that answer, once; after a
 * failure it is asked for again.
 */
export class ForeseenImages {
  readonly #images: ImageSource;
  readonly #place: () => ImageLocation | undefined;
  #picture: { name: Named; answer: Promise<Blob> } | undefined;
  #metadata: { name: Named; answer: ReturnType<ImageSource['series']> } | undefined;

  /** @param place where the images of the server are, as far as that is known without a record */
  constructor(images: ImageSource, place: () => ImageLocation | undefined) {
    this.#images = images;
    this.#place = place;
  }

  /** @throws Trouble */
  async open({ study, series }: Named, size: PictureSize): Promise<Blob> {
    const at = this.#place();
    if (!at) throw new Trouble('not-found', 'the place of the images is in the record');
    const { signal } = new AbortController();
    const name = series === undefined ? { study } : { study, series };
    const answer = this.#images.rendered(at, name, size, signal);
    this.#picture = { name, answer };
    if (series !== undefined) {
      const metadata = this.#images.series(at, { study, series }, signal);
      metadata.catch(() => undefined);
      this.#metadata = { name, answer: metadata };
    }
    return answer;
  }

  /** Returns the metadata of the series that the address names; undefined if they were not asked for. */
  get metadata(): ReturnType<ImageSource['series']> | undefined {
    return this.#metadata?.answer;
  }

  readonly rendered: ImageSource['rendered'] = (at, name, ...asked) => {
    const foreseen = this.#picture;
    this.#picture = undefined;
    const ask = () => this.#images.rendered(at, name, ...asked);
    return isSame(foreseen?.name, name) ? foreseen!.answer.catch(ask) : ask();
  };

  readonly series: ImageSource['series'] = (at, name, signal) => {
    const foreseen = this.#metadata;
    this.#metadata = undefined;
    const ask = () => this.#images.series(at, name, signal);
    return isSame(foreseen?.name, name) ? foreseen!.answer.catch(ask) : ask();
  };
}

function isSame(foreseen: Named | undefined, asked: Named): boolean {
  return foreseen?.study === asked.study && foreseen.series === asked.series && asked.instance === undefined;
}
