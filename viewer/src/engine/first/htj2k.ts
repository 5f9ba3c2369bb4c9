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

let worker: Worker | undefined;

/** Starts the decoder: it is loaded while the frame is on its way. */
export function startHtj2k(): Worker {
  return (worker ??= new Worker(new URL('./htj2k-worker.ts', import.meta.url), { type: 'module' }));
}

/** Decodes one frame, and ends the decoder. @returns as `Htj2kAnswer`; undefined also if the decoder does not come */
export async function decodeHtj2k(frame: Htj2kFrame): Promise<Htj2kAnswer['values']> {
  const decoder = startHtj2k();
  try {
    return await new Promise((resolve) => {
      decoder.onmessage = ({ data }: MessageEvent<Htj2kAnswer>) => resolve(data.values);
      decoder.onerror = () => resolve(undefined);
      decoder.postMessage(frame);
    });
  } finally {
    decoder.terminate();
    worker = undefined;
  }
}
