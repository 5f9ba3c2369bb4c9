import { readFileSync } from 'node:fs';
import { writeOrCheck } from '../../schema/generate/files.ts';

/**
 * Writes the generated parts of a page of docs; with `--check` among the arguments of the process, fails if it is out of date.
 * @param render returns the page with its parts
 */
export function writePage(name: string, render: (page: string) => string): void {
  const folder = new URL('../', import.meta.url);
  const page = render(readFileSync(new URL(name, folder), 'utf8'));
  process.exitCode = writeOrCheck(folder, { [name]: page }, process.argv.slice(2), 'npm run docs');
}

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
