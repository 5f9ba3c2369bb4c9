/** What the browser has to fetch before something can be used, in the built viewer (`node gateway/build.mjs`). */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const dist = join(import.meta.dirname, '../../dist/viewer');
const KB = 1000;

interface Chunk {
  file: string;
  imports?: string[];
  css?: string[];
  assets?: string[];
}

type Manifest = Record<string, Chunk>;
const manifestOf = (directory: string) =>
  JSON.parse(readFileSync(join(directory, '.vite/manifest.json'), 'utf8')) as Manifest;
const manifest = manifestOf(dist);

/** Returns the scripts and styles that some modules need, with all that they import. */
function filesOf(modules: readonly string[], within = manifest): Set<string> {
  const [seen, files, open] = [new Set<string>(), new Set<string>(), [...modules]];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const chunk = within[name];
    if (!chunk) throw new Error(`The build has no chunk of its own for ${name}.`);
    for (const file of [chunk.file, ...(chunk.css ?? [])]) files.add(file);
    open.push(...(chunk.imports ?? []));
  }
  return files;
}

/** Bytes on the line: compressed by Brotli, where that is worth it. */
function sizeOf(files: Iterable<string>, directory = dist): number {
  const size = (path: string) => statSync(existsSync(`${path}.br`) ? `${path}.br` : path).size;
  return [...files].reduce((sum, file) => sum + size(join(directory, file)), 0);
}

const REDIRECT = ['index.html', 'src/state/sign-in/smart-launch.ts'];
const RECORDS = ['src/data/graph/own-tenant.ts'];
const ENGINE = 'src/engine/cornerstone/engine.ts';

test.each([
  ['the sign-in, with its servers and its redirect', [...REDIRECT, 'src/ui/servers/ServerChooser.svelte']],
  ['the list of patients, after a sign-in', [...REDIRECT, ...RECORDS]],
])('%s needs at most 60 KB', (_what, modules) => {
  expect(sizeOf(filesOf(modules)) / KB).toBeLessThanOrEqual(60);
});

test('the engine that draws images needs at most 500 KB more, and nothing else loads it', () => {
  const page = filesOf(['index.html', 'src/ui/pages/RecordPage.svelte']);
  const engine = [...filesOf([ENGINE])].filter((file) => !page.has(file));
  expect(sizeOf(engine) / KB).toBeLessThanOrEqual(500);
  // Less would be another file.
  expect(sizeOf(engine) / KB).toBeGreaterThan(100);
  const decoder = readFileSync(join(dist, manifest[ENGINE]!.file), 'utf8').match(
    /decode-worker-[\w-]+\.js/,
  )![0];
  expect((sizeOf(engine) + sizeOf([`assets/${decoder}`])) / KB).toBeLessThanOrEqual(500);
});

test('the chart of a trend needs at most 25 KB more, and only a trend that is opened loads it', () => {
  const page = filesOf(['index.html', 'src/ui/pages/RecordPage.svelte', 'src/features.ts']);
  const chart = filesOf(['src/features/trends/plot.ts']);
  const more = [...chart].filter((file) => !page.has(file));
  expect(sizeOf(more) / KB).toBeLessThanOrEqual(25);
  // Less would be another file, or a chart that is on the page already.
  expect(sizeOf(more) / KB).toBeGreaterThan(15);
});

test('the page of take-along packages is one script, at most 1.3 MB on the line', () => {
  const files = readdirSync(join(dist, 'package')).filter((name) => !/\.(br|gz)$/.test(name));
  expect(files).toEqual(['viewer.js']);
  expect(sizeOf(['package/viewer.js']) / KB).toBeLessThanOrEqual(1300);
});

test('the playground needs at most 75 KB before its editor; results and SQL are loaded when they are looked at', () => {
  const playground = join(dist, '../playground');
  const parts = manifestOf(playground);
  const page = filesOf(['playground.html'], parts);
  expect(sizeOf(page, playground) / KB).toBeLessThanOrEqual(75);
  for (const later of ['results/Results.svelte', 'sql/SqlTab.svelte', 'sql/sql-editor.ts'])
    expect(page).not.toContain(parts[`src/playground/${later}`]!.file);
});
