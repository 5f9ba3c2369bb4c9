/**
 * Replaces the part of a page between its two marks, `<!-- generated: NAME -->` and `<!-- end of NAME -->`.
 * @throws Error if the page does not have both marks
 */
export function withGeneratedPart(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- generated: ${name} -->`, `<!-- end of ${name} -->`];
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`The page has no place for: ${name}.`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}
