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

export interface Part {
  bytes: Uint8Array;
  /** Bytes of the whole value; undefined where the server has given all, or does not say it. */
  total: number | undefined;
}

/** Returns the bytes of a value from one to the one before another; all where the server gives no parts. @throws Trouble */
export async function partOf(
  url: string,
  { from, to }: { from: number; to: number },
  images: Pick<ImageSource, 'bulk'>,
  signal: AbortSignal,
): Promise<Part> {
  let total: number | undefined;
  const heard = (headers: Headers) => {
    const [, first, all] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? [];
    if (Number(first) === from) total = Number(all);
  };
  // Parts are of the value itself, and not of an answer that holds it.
  const accept = 'application/octet-stream, video/*, */*;q=0.5';
  const headers = { range: `bytes=${from}-${to - 1}` };
  const bytes = await images.bulk(url, signal, { accept, headers, heard });
  return { bytes, total };
}
