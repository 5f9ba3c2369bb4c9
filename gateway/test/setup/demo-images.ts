/** The demonstration's images, made once for all tests, which only read them. */
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as images from '../../demo/images.ts';
import { buildDemoImages, MARKER } from '../../demo/images.ts';
import { LONG } from './long.ts';

const root = join(import.meta.dirname, '../../..');
const cache = join(root, 'node_modules/.cache/demo-images');

/** As the sources make them. */
export const ALL_DEMO_IMAGES = join(cache, 'sources');
/** Of each series the first few: a study of 137 MB is much to retrieve for a test of who may. All of them in the long run. */
export const DEMO_IMAGES = LONG ? ALL_DEMO_IMAGES : join(cache, 'few');
const FEW = 6;
/** As the built gateway makes them: it holds those of the sources to be of another version. */
export const BUILT_DEMO_IMAGES = join(cache, 'built');

/**
 * Vitest's globalSetup hook: makes them, unless they are there. Where there is a build it has the same ones: the code that
 * makes them is the same.
 */
export async function setup(): Promise<void> {
  await buildDemoImages({ target: ALL_DEMO_IMAGES });
  if (!LONG) linkFew();
  const built = join(root, 'dist/gateway/demo/images.js');
  if (!existsSync(built)) return;
  const { contentVersion } = (await import(pathToFileURL(built).href)) as Partial<typeof images>;
  if (!contentVersion) throw new Error('dist/ is older than the tests: npm run build');
  const marker = join(BUILT_DEMO_IMAGES, MARKER);
  if (existsSync(marker) && readFileSync(marker, 'utf8') === contentVersion()) return;
  rmSync(BUILT_DEMO_IMAGES, { recursive: true, force: true });
  execFileSync('cp', ['-al', ALL_DEMO_IMAGES, BUILT_DEMO_IMAGES]);
  // One file of both until now.
  rmSync(marker);
  writeFileSync(marker, contentVersion());
}

/** Links the first files of each series, and says that they are of the same version. */
function linkFew(): void {
  const version = readFileSync(join(ALL_DEMO_IMAGES, MARKER), 'utf8');
  const marker = join(DEMO_IMAGES, MARKER);
  if (existsSync(marker) && readFileSync(marker, 'utf8') === version) return;
  rmSync(DEMO_IMAGES, { recursive: true, force: true });
  for (const path of readdirSync(ALL_DEMO_IMAGES, { recursive: true, encoding: 'utf8' })) {
    const number = /\/(\d+)\.dcm$/.exec(path)?.[1];
    if (number === undefined || Number(number) > FEW) continue;
    mkdirSync(dirname(join(DEMO_IMAGES, path)), { recursive: true });
    linkSync(join(ALL_DEMO_IMAGES, path), join(DEMO_IMAGES, path));
  }
  writeFileSync(marker, version);
}
