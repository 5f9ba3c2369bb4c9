/** A frame in HTJ2K, and the size that its metadata say. */
export interface Htj2kFrame {
  bytes: Uint8Array;
  columns: number;
  rows: number;
}

export interface Htj2kAnswer {
  /** Stored values, by rows; undefined for a frame that is damaged, has colours, or another size. */
  values: Int8Array | Uint8Array | Int16Array | Uint16Array | undefined;
}

/** Decodes one frame in a worker, which is loaded while the frame is on its way. Its creator closes it. */
export class Htj2kDecoder {
  readonly #worker = new Worker(new URL('./htj2k-worker.ts', import.meta.url), { type: 'module' });
  #end: (() => void) | undefined;

  /** @returns as `Htj2kAnswer`; undefined also if the decoder does not come, or is closed */
  decode(frame: Htj2kFrame): Promise<Htj2kAnswer['values']> {
    return new Promise((resolve) => {
      this.#end = () => resolve(undefined);
      this.#worker.onmessage = ({ data }: MessageEvent<Htj2kAnswer>) => resolve(data.values);
      this.#worker.onerror = this.#end;
      this.#worker.postMessage(frame);
    });
  }

  close(): void {
    this.#worker.terminate();
    this.#end?.();
  }
}
