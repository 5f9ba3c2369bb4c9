/** Writes files that come one after the other into a zip file. A chunk of its own. */
import { makeZip } from 'client-zip';

/**
 * Returns the zip file as a stream; nothing is compressed, since images that can be are already.
 * @param files as they come; those that came before an error are in the zip, which is complete then
 */
export function zipOf(
  files: AsyncIterable<{ name: string; input: Uint8Array<ArrayBuffer> }>,
): ReadableStream<Uint8Array> {
  return makeZip(files);
}
