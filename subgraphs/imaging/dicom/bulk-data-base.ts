/** The start of a BulkDataURI in JSON. No value can contain it, because JSON escapes quotes within values. */
export const ROOTED = '"BulkDataURI":"/studies/';

/**
 * Puts a base before every BulkDataURI in JSON, which is a path from the base of the service (DW-4). It works chunk by
 * chunk, because metadata may have many megabytes.
 */
export async function* withBase(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  base: string,
): AsyncGenerator<Buffer> {
  const based = Buffer.from(`"BulkDataURI":"${base}/studies/`);
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([rest, chunk]);
    const parts: Buffer[] = [];
    let from = 0;
    for (let at = bytes.indexOf(ROOTED); at >= 0; at = bytes.indexOf(ROOTED, from)) {
      parts.push(bytes.subarray(from, at), based);
      from = at + ROOTED.length;
    }
    // The last bytes may be the start of another URI.
    const end = Math.max(from, bytes.length - ROOTED.length + 1);
    yield Buffer.concat([...parts, bytes.subarray(from, end)]);
    rest = bytes.subarray(end);
  }
  yield rest;
}
