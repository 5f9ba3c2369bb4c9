import type { Trouble } from '../../data/trouble.ts';
import { troubleOf } from '../browser/trouble-of.ts';

/** Bytes that are fetched when they are to be shown: of a document, or of a waveform. */
export class Bytes {
  bytes = $state.raw<Uint8Array>();
  trouble = $state.raw<Trouble>();
  loading = $state(false);
  #asking: AbortController | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /** Asks for bytes; those before go. Asks again by itself when a busy server has said when. */
  async load(ask: (signal: AbortSignal) => Promise<Uint8Array>): Promise<void> {
    this.close();
    const asking = (this.#asking = new AbortController());
    this.loading = true;
    try {
      const bytes = await ask(asking.signal);
      if (!asking.signal.aborted) this.bytes = bytes;
    } catch (error) {
      if (asking.signal.aborted) return;
      const trouble = (this.trouble = troubleOf(error));
      if (trouble.passes && trouble.retryAfter !== undefined)
        this.#retry = setTimeout(() => void this.load(ask), trouble.retryAfter);
    } finally {
      if (this.#asking === asking) this.loading = false;
    }
  }

  close(): void {
    this.#asking?.abort();
    clearTimeout(this.#retry);
    this.bytes = this.trouble = undefined;
    this.loading = false;
  }
}
