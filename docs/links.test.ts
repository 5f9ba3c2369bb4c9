import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { pages, readPage, root } from './test/pages.ts';

const TOUR = 'docs/tour.md';

/** Removes code blocks and code spans from a page: they contain no links. */
const prose = (text: string) => text.replace(/^```.*?^```/gms, '').replace(/`[^`\n]*`/g, 'code');

/** Returns the anchor of a heading, as GitHub creates it. */
function anchorOf(heading: string): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
  return text.replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
}

function anchorsOf(page: string): string[] {
  const text = readFileSync(page, 'utf8').replace(/^```.*?^```/gms, '');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!));
}

/** Returns the reason why a link is broken; undefined if it is not. */
function broken(page: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#');
  const target = path ? resolve(root, dirname(page), path) : join(root, page);
  if (!existsSync(target)) return `${page}: ${link} does not exist`;
  if (anchor === undefined || !target.endsWith('.md')) return undefined;
  return anchorsOf(target).includes(anchor) ? undefined : `${page}: ${link} has no such heading`;
}

test('finds the pages', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'SECURITY.md', 'docs/operations.md']));
});

test('the target of every relative link exists, and so does its heading', () => {
  const found = pages.flatMap((page) =>
    [...prose(readPage(page)).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link!)
      .filter((link) => !/^[a-z]+:/.test(link))
      .flatMap((link) => broken(page, link) ?? []),
  );
  expect(found).toEqual([]);
});

/** The files to which a page links. */
const targetsOf = (page: string) =>
  [...prose(readPage(page)).matchAll(/\]\(([^)#\s]+)/g)].map(([, link]) => join(dirname(page), link!));

test('every page of docs is in the README or an index, and every decision in architecture.md', () => {
  const listed = ['README.md', 'docs/operations.md', 'docs/graphql.md'].flatMap(targetsOf);
  const decisions = targetsOf('docs/architecture.md');
  const missing = pages.filter(
    (page) =>
      (dirname(page) === 'docs' && !listed.includes(page)) ||
      (dirname(page) === 'docs/decisions' && !decisions.includes(page)),
  );
  expect(missing).toEqual([]);
});

/** Returns what is wrong with the links of a page whose text is a name in code: their file has to have it. */
function unnamed(page: string): string[] {
  const named = readPage(page).matchAll(/\[`([A-Za-z]\w*)`\]\(([^)#]+\.ts)\)/g);
  return [...named].flatMap(([, name, link]) => {
    const source = readFileSync(resolve(root, dirname(page), link!), 'utf8');
    // Each stop of the tour is where its code begins; elsewhere a name may be a key of a table.
    const declares = page === TOUR ? String.raw`\b(function\*?|class|const) ` : String.raw`\b`;
    const isThere = new RegExp(String.raw`${declares}${name!}\b`).test(source);
    return isThere ? [] : [`${page}: ${link} has no ${name}`];
  });
}

test('a name that links to a source is there, and every stop of the tour is declared there', () => {
  expect(pages.flatMap(unnamed)).toEqual([]);
  const stops = readPage(TOUR).match(/^\d+\. \[`\w+`\]\(/gm);
  expect(stops?.length).toBe(52);
});

test('a link to a missing file or heading is found', () => {
  expect(broken('README.md', 'docs/none.md')).toMatch('does not exist');
  expect(broken('README.md', 'docs/operations.md#none')).toMatch('has no such heading');
  expect(broken('docs/errors.md', '#codes-of-all-apis')).toBeUndefined();
});
