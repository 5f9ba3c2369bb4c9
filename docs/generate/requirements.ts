import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeOrCheck } from '../../schema/generate/files.ts';
import { REQUIREMENTS } from './requirement-lines.ts';

/**
 * Writes `docs/requirements.md`: each requirement with the files that implement it and the tests that check it.
 *
 *     npx tsx docs/generate/requirements.ts           writes it
 *     npx tsx docs/generate/requirements.ts --check   writes nothing; fails if the page is out of date
 *
 * Both fail if a file cites an id without a line, or if a requirement has no implementation or no test.
 */

interface Citations {
  code: string[];
  tests: string[];
  /** Checks of the conformance kit, which any server can be tested with. */
  checks: string[];
}

/** `IA-7`, or a range: `IA-1 to IA-3`. */
const CITATION = /\b(IA|DW|FG|SM)-(\d+)(?: to \1-(\d+))?\b/g;
const FAMILIES = {
  IA: [
    'SMART Imaging Access',
    'finding and retrieving images with a SMART token; Argonaut implementation guide',
  ],
  DW: ['DICOMweb and image sources', 'DICOM PS3.18, and archives as they really behave'],
  FG: ['FHIR and GraphQL', 'the FHIR GraphQL specification and Apollo Federation'],
  SM: ['SMART on FHIR', 'duties of a resource server: SMART App Launch 2.2 and the RFCs of OAuth'],
} as const;

/** Files of tests, and suites that several of them run. */
const TESTS = /\.test\.ts$|-contract\.ts$/;

/** Returns the ids that a text cites. */
export function citedIds(text: string): Set<string> {
  const ids = [...text.matchAll(CITATION)].flatMap(([, family, first, last = first]) =>
    Array.from(
      { length: Number(last) - Number(first) + 1 },
      (_, index) => `${family}-${Number(first) + index}`,
    ),
  );
  return new Set(ids);
}

/**
 * Returns the citations of each id.
 * @param sources text by path below the repository root
 */
export function citations(sources: ReadonlyMap<string, string>): Map<string, Citations> {
  const found = new Map<string, Citations>();
  for (const [path, text] of sources) {
    for (const id of citedIds(text)) {
      const places = found.get(id) ?? { code: [], tests: [], checks: [] };
      places[kindOf(path)].push(path);
      found.set(id, places);
    }
  }
  return found;
}

function kindOf(path: string): keyof Citations {
  if (path.startsWith('conformance/')) return 'checks';
  return TESTS.test(path) ? 'tests' : 'code';
}

/**
 * Returns the text of the page.
 * @throws Error that names every id without a line, without a file that implements it, or without a test
 */
export function requirementsPage(
  lines: Readonly<Record<string, string>>,
  found: ReadonlyMap<string, Citations>,
): string {
  const problems = [
    ...[...found].flatMap(([id, { code, tests, checks }]) =>
      id in lines ? [] : [`${id} has no line; cited in ${[...code, ...tests, ...checks].join(', ')}`],
    ),
    ...Object.keys(lines).flatMap((id) => {
      const { code = [], tests = [] } = found.get(id) ?? {};
      return [
        ...(code.length === 0 ? [`${id}: no source file cites it`] : []),
        ...(tests.length === 0 ? [`${id}: no test cites it`] : []),
      ];
    }),
  ];
  if (problems.length > 0) throw new Error(`docs/generate/requirement-lines.ts:\n${problems.join('\n')}`);
  const families = Object.entries(FAMILIES).map(([family, [title, from]]) => ({ family, title, from }));
  const idsOf = (family: string) =>
    Object.keys(lines)
      .filter((id) => id.startsWith(`${family}-`))
      .sort((a, b) => numberOf(a) - numberOf(b));
  return `${[
    '# Requirements',
    'Comments and test titles cite these ids. The page is generated from the citations (`npm run docs`).',
    [
      '| ids | about | source |',
      '|---|---|---|',
      ...families.map(({ family, title, from }) => `| ${family}-… | ${title} | ${from} |`),
    ].join('\n'),
    ...families.flatMap(({ family, title }) => [
      `## ${title}`,
      ...idsOf(family).map((id) => entry(id, lines[id]!, found.get(id)!)),
    ]),
  ].join('\n\n')}\n`;
}

function entry(id: string, line: string, { code, tests, checks }: Citations): string {
  const kit = checks.length > 0 ? `\n- Checked at any server by: ${linked(checks)}` : '';
  return `### ${id}\n\n${line}\n\n- Implemented in: ${linked(code)}\n- Tested by: ${linked(tests)}${kit}`;
}

const numberOf = (id: string) => Number(id.slice(id.indexOf('-') + 1));
const linked = (paths: readonly string[]) =>
  [...paths]
    .sort()
    .map((path) => `[${path}](../${path})`)
    .join(', ');

/**
 * Reads the source files of the product and its tests, and the checks of the conformance kit. Test helpers and
 * benchmarks implement no requirement.
 */
function sources(root: string): Map<string, string> {
  const paths = ['schema', 'gateway', 'subgraphs', 'viewer', 'conformance/checks'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
      .filter((path) => /\.(ts|js|svelte)$/.test(path) && !/\/(node_modules|\.svelte-kit)\//.test(path))
      .filter((path) => TESTS.test(path) || !/\/(test|bench)\/|\.generated\.ts$/.test(path)),
  );
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

if (import.meta.filename === process.argv[1]) {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  process.exitCode = writeOrCheck(
    new URL('../', import.meta.url),
    { 'requirements.md': requirementsPage(REQUIREMENTS, citations(sources(root))) },
    process.argv.slice(2),
    'npm run docs',
  );
}
