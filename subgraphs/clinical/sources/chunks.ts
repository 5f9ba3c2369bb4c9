/** Characters of ids in one `_id=a,b,c`: stays below the 2,000 that any server and proxy takes. */
export const MAX_IDS_LENGTH = 1_500;

/** Parts of a list whose texts, joined with commas, have at most so many characters; one text is never split. */
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
