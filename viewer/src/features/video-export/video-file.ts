/** Places into which a video is written: a file that the person has chosen, or a download of the browser. */
import { chooseFile, removeEmpty } from '../../ui/controls/chosen-file.ts';
import { saveBlob } from '../../ui/controls/save-blob.ts';

interface Chunk {
  type: 'write';
  data: Uint8Array<ArrayBuffer>;
  position: number;
}

/** The file could not be written. */
export class NotWritten extends Error {}

export interface VideoFile {
  /** Takes the bytes as they come; undefined where they are kept until the end. */
  stream: WritableStream<Chunk> | undefined;
  /** @param blob all bytes, without `stream` @throws NotWritten */
  keep(blob: Blob | undefined): Promise<void>;
  /** Leaves no file. */
  drop(): Promise<void>;
}

/** Asks for a file where the browser can. Call it right after a click. @throws DOMException `AbortError` if the person chooses none */
export async function placeFor(name: string): Promise<VideoFile> {
  const chosen = await chooseFile(name).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    return failed(error);
  });
  if (!chosen)
    return {
      stream: undefined,
      keep: (blob) => Promise.resolve(blob && saveBlob(blob, name)),
      drop: () => Promise.resolve(),
    };
  const file = await chosen.createWritable().catch(failed);
  let lost: unknown;
  const write = (chunk: Chunk) => file.write(chunk).catch((error: unknown) => failed((lost = error)));
  return {
    // Closed here, and not by the writer, which would keep a part of a video.
    stream: new WritableStream<Chunk>({ write }),
    async keep() {
      if (lost !== undefined) failed(lost);
      await file.close().catch(failed);
    },
    async drop() {
      await file.abort().catch(() => undefined);
      await removeEmpty(chosen);
    },
  };
}

function failed(cause: unknown): never {
  throw new NotWritten('the file could not be written', { cause });
}
