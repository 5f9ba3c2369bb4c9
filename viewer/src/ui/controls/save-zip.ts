import { chooseFile, removeEmpty } from './chosen-file.ts';
import { saveBlob } from './save-blob.ts';

export interface ZippedFile {
  name: string;
  input: Uint8Array<ArrayBuffer> | string;
}

/**
 * Saves files in one zip as they come. Where a file can be chosen it is written meanwhile; else it is kept whole. One that is
 * cancelled, or fails, leaves nothing. Call it right after a click: browsers ask for a file only then.
 * @param isWanted said at the end; one that is not wanted is not given to the person
 * @throws DOMException `AbortError` if the person chooses none; the reason of the signal; what the files throw
 */
export async function saveZip(
  files: AsyncIterable<ZippedFile>,
  name: string,
  { signal, isWanted = () => true }: { signal: AbortSignal; isWanted?: () => boolean },
): Promise<void> {
  const chosen = await chooseFile(name);
  const { makeZip } = await import('client-zip');
  // Nothing is compressed, since images that can be are already.
  const stream = makeZip(files);
  if (chosen) {
    try {
      return await stream.pipeTo(await chosen.createWritable(), { signal });
    } catch (error) {
      await removeEmpty(chosen);
      throw error;
    }
  }
  const blob = await new Response(stream).blob();
  signal.throwIfAborted();
  if (isWanted()) saveBlob(new Blob([blob], { type: 'application/zip' }), name);
}
