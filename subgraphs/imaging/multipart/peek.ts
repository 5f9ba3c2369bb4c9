/**
 * Reads into a body as far as it takes to find something in its first bytes.
 * @param find looks at the first bytes; undefined where it takes more of them
 * @param most bytes in which it has to be found
 * @returns it, where it is found, and all of the bytes again
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
    // Each time at twice as much: what was looked at is not joined and read again for every chunk.
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
    // A reader that leaves within the first bytes leaves it open otherwise.
    await body.return();
  }
}
