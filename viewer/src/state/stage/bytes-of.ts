import { inlineBytes } from '../../domain/documents/inline-bytes.ts';
import type { Attribute } from '../../domain/instance.ts';
import type { ImageSource } from '../../data/source.ts';
import { Trouble } from '../../data/trouble.ts';

/** Returns a binary value of the metadata, which have it themselves or by address (PS3.18 §F.2.2). @throws Trouble */
export async function bytesOf(
  attribute: Attribute | undefined,
  images: Pick<ImageSource, 'bulk'>,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (attribute?.BulkDataURI !== undefined) return images.bulk(attribute.BulkDataURI, signal);
  const bytes = attribute?.InlineBinary === undefined ? undefined : inlineBytes(attribute.InlineBinary);
  if (!bytes) throw new Trouble('damaged', 'a binary value that is not there');
  return bytes;
}
