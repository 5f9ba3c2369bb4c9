/** Characters of ids in one `_id=a,b,c`: URLs stay below 2,000 characters, which every server and proxy accepts. */
export const MAX_IDS_LENGTH = 1_500;

/** Splits a list into parts of at most `maximum` characters when joined with commas; a single text is never split. */
export function chunksByLength(texts: readonly string[], maximum: number): string[][] {
  const chunks: string[][] = [];
  let length = Infinity;
  for (const text of texts) {
    length += text.length + 1;
    if (length > maximum) {
      chunks.push([]);
      length = text.length;
    }
    chunks.at(-1)!.push(text);
  }
  return chunks;
}
