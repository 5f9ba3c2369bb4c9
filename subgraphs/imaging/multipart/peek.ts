/**
 * Reads the first bytes of a body until something is found in them.
 * @param find searches the first bytes; returns undefined when it needs more
 * @param most bytes to search
 * @returns the value, if it was found, and all bytes of the body
 */
export async function peek<T>(
  body: AsyncGenerator<Buffer, void, void>,
  find: (head: Buffer) => T | undefined,
  most: number,
): Promise<{ found: T | undefined; bytes: AsyncGenerator<Buffer, void, void> }> {
  const chunks: Buffer[] = [];
  let found: T | undefined;
  for (let length = 0, looked = 0; found === undefined && length < most;) {
    const { done, value } = await body.next();
    if (value) {
      chunks.push(value);
      length += value.length;
    }
    // Searches again only at twice the length, so that bytes are not joined and searched for every chunk.
    if (done || length >= 2 * looked || length >= most) {
      found = find(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));
      looked = length;
    }
    if (done) break;
  }
  return { found, bytes: rest(chunks, body) };
}

async function* rest(
  chunks: readonly Buffer[],
  body: AsyncGenerator<Buffer, void, void>,
): AsyncGenerator<Buffer, void, void> {
  try {
    yield* chunks;
    yield* body;
  } finally {
    // Otherwise the body stays open when its reader leaves within the first bytes.
    await body.return();
  }
}
