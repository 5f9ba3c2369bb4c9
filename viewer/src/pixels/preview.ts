/** The server's picture of an image, shown until the frame itself is there. */
import type { ImageSource } from '../data/source.ts';
import type { ImageLocation } from '../domain/study.ts';

/** One place on the screen with a preview. */
export class Preview {
  #source: Pick<ImageSource, 'rendered'>;
  #request: AbortController | undefined;
  #url: string | undefined;

  constructor(source: Pick<ImageSource, 'rendered'>) {
    this.#source = source;
  }

  /**
   * Loads a picture in the place of the one before, whose URL ends then.
   * @param name of a study, a series or an instance; the server chooses the opening image
   * @param size of the place, in pixels of the screen
   * @returns an object URL; undefined if another picture has been asked for in the meantime, or `clear` was called
   * @throws Trouble
   */
  async show(
    at: ImageLocation,
    name: Parameters<ImageSource['rendered']>[1],
    size: { width: number; height: number },
  ): Promise<string | undefined> {
    this.clear();
    const request = (this.#request = new AbortController());
    try {
      const picture = await this.#source.rendered(at, name, size, request.signal);
      if (request.signal.aborted) return undefined;
      this.#url = URL.createObjectURL(picture);
      return this.#url;
    } catch (error) {
      if (request.signal.aborted) return undefined;
      throw error;
    }
  }

  /** Ends the request and the URL. */
  clear(): void {
    this.#request?.abort();
    this.#request = undefined;
    if (this.#url !== undefined) URL.revokeObjectURL(this.#url);
    this.#url = undefined;
  }
}
