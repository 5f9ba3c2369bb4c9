/**
 * Reads a body of an answer as UTF-8 text. A longer one is not read to its end, and its connection is closed.
 * @param body of `fetch` or undici; null where there is none
 * @throws Error where it has more than `maxBytes`
 */
export async function limitedText(body: AsyncIterable<Uint8Array> | null, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`The answer has more than ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
