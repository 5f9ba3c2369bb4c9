import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');
const ELSEWHERE = /(^|\/)(node_modules|dist|coverage|\.git|\.data|\.svelte-kit|project\.inlang)(\/|$)/;

/** All pages of the repository, as paths from its root. */
export const pages = readdirSync(root, { withFileTypes: true })
  .filter(({ name }) => !ELSEWHERE.test(name))
  .flatMap((entry) =>
    entry.isDirectory()
      ? readdirSync(join(root, entry.name), { recursive: true, encoding: 'utf8' }).map(
          (name) => `${entry.name}/${name}`,
        )
      : [entry.name],
  )
  .filter((path) => path.endsWith('.md') && !ELSEWHERE.test(path));

export const readPage = (page: string) => readFileSync(join(root, page), 'utf8');

/** A fenced block of a page. */
export interface Block {
  page: string;
  /** The word after the fence. */
  language: string;
  text: string;
}

/** The blocks of all pages, but drawings. */
export const blocks: readonly Block[] = pages.flatMap((page) =>
  [...readPage(page).matchAll(/^( *)```(\w*)[^\n]*\n(.*?)^ *```$/gms)]
    .map(([, indent, language, code]) => {
      const text = code!.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
      return { page, language: language!, text };
    })
    .filter(({ language }) => language !== 'mermaid'),
);
