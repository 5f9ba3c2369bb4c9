/** A number of a list, and short forms whose dot ends no sentence. */
const NO_END =
  /(?:^|\s)(?:\d{1,2}|Drs?|Dra?s?|Sra?|Mr|Mrs|No|Nos|Fig|Im|Img|Se|St|vs|approx|aprox|p\. ?ej|e\.g|i\.e)\.$/iu;

/** Splits a paragraph into sentences. Together they are the paragraph, with the spaces between them. */
export function sentencesOf(paragraph: string): string[] {
  const sentences: string[] = [];
  let begin = 0;
  for (const { 0: space, index } of paragraph.matchAll(/\n+|(?<=[.!?])\s+(?=[\p{Lu}\d¿¡])/gu)) {
    if (!space.includes('\n') && NO_END.test(paragraph.slice(begin, index))) continue;
    const end = index + space.length;
    sentences.push(paragraph.slice(begin, end));
    begin = end;
  }
  if (begin < paragraph.length) sentences.push(paragraph.slice(begin));
  return sentences;
}
