/**
 * Reads the body of an answer as UTF-8 text. It stops reading a body that is too long, and its connection is closed.
 * @param body of `fetch` or undici; null when there is none
 * @throws Error when it has more than `maxBytes`
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
