import { MAX_PALETTE } from '../../dicom/part10/json.ts';
import type { PaletteAddress } from '../../parsing/archive/archive-metadata.ts';
import type { ImagingSource } from '../source.ts';

/**
 * Palettes that a server keeps as bulk data, to be put into the metadata: viewers look for them there (DW-6). What is
 * longer than any palette is left out, and stays bulk data.
 */
export async function readPalettes(
  palettes: readonly PaletteAddress[],
  source: Pick<ImagingSource, 'bulkdata'>,
  signal?: AbortSignal,
): Promise<{ tag: string; bytes: Uint8Array }[]> {
  const read: { tag: string; bytes: Uint8Array }[] = [];
  for (const { tag, uri, target } of palettes) {
    const bulk = await source.bulkdata(target, uri, signal);
    const chunks: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of bulk.open() as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      if ((length += chunk.length) > MAX_PALETTE) break;
    }
    if (length <= MAX_PALETTE) read.push({ tag, bytes: Buffer.concat(chunks) });
  }
  return read;
}
