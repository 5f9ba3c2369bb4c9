/** Returns the form in which texts are compared where case and accents do not count. */
export function foldedText(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase();
}
