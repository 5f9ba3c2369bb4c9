import { MAX_PALETTE } from '../../dicom/part10/json.ts';
import type { PaletteAddress } from '../../parsing/archive/archive-metadata.ts';
import type { ImagingSource } from '../source.ts';

/**
 * Reads palettes that a server has as bulk data, to put them into the metadata, where viewers expect them (DW-6). A
 * value that is longer than any palette is omitted, and stays bulk data.
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
