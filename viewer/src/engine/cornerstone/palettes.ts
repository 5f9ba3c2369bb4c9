/** Palettes of colour (PS3.3 §C.7.9), as Cornerstone takes them. */
import { base64Bytes } from '../../domain/documents/inline-bytes.ts';
import { numbers, text, type Attribute, type Instance } from '../../domain/instance.ts';

const COLOURS = ['red', 'green', 'blue'] as const;

export type Palettes = Record<
  `${(typeof COLOURS)[number]}PaletteColorLookupTable${'Data' | 'Descriptor'}`,
  number[]
>;

/**
 * Returns the palettes of an image; undefined if it has none.
 * @param bulk loads a value that the metadata give by reference
 * @throws Error if a palette is missing or shorter than it says
 */
export async function palettesOf(
  instance: Instance,
  bulk: (url: string) => Promise<Uint8Array>,
): Promise<Palettes | undefined> {
  if (text(instance, '00280004') !== 'PALETTE COLOR') return undefined;
  const found: Partial<Palettes> = {};
  for (const [index, colour] of COLOURS.entries()) {
    const descriptor = numbers(instance, `0028110${index + 1}`, 3);
    const attribute = instance[`0028120${index + 1}`];
    if (!descriptor || !attribute) throw new Error(`no ${colour} palette`);
    const data = await entriesOf(attribute, descriptor[2]!, bulk);
    // 0 stands for 65,536 entries.
    if (data.length < (descriptor[0] || 65_536)) throw new Error(`short ${colour} palette`);
    found[`${colour}PaletteColorLookupTableDescriptor`] = descriptor;
    found[`${colour}PaletteColorLookupTableData`] = data;
  }
  return found as Palettes;
}

/** @param bits 8, or 16 for entries of two bytes, the low one first */
async function entriesOf(
  { Value, InlineBinary, BulkDataURI }: Attribute,
  bits: number,
  bulk: (url: string) => Promise<Uint8Array>,
): Promise<number[]> {
  if (Value) return Value.map(Number);
  const bytes = InlineBinary !== undefined ? base64Bytes(InlineBinary) : await bulk(BulkDataURI ?? '');
  if (bits === 8) return [...bytes];
  return Array.from({ length: bytes.length >> 1 }, (_, at) => bytes[2 * at]! | (bytes[2 * at + 1]! << 8));
}
