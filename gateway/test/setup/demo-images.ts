/** Images of the demonstration, made once for all tests, which only read them. */
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as images from '../../demo/images.ts';
import { buildDemoImages, MARKER } from '../../demo/images.ts';
import { LONG } from './long.ts';

const root = join(import.meta.dirname, '../../..');
const cache = join(root, 'node_modules/.cache/demo-images');

/** Made by the sources. */
export const ALL_DEMO_IMAGES = join(cache, 'sources');
/** The first images of each series, all in the long run: tests of authorization need not retrieve a study of 137 MB. */
export const DEMO_IMAGES = LONG ? ALL_DEMO_IMAGES : join(cache, 'few');
const FEW = 6;
/** The same with the version of the built gateway, which would take those of the sources for another version. */
export const BUILT_DEMO_IMAGES = join(cache, 'built');

/**
 * Hook of Vitest (globalSetup): makes the images where they are missing. Where there is a build, it gets the same images:
 * its code that makes them is the same.
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
  // It is a hard link: to write it would change the version of the sources.
  rmSync(marker);
  writeFileSync(marker, contentVersion());
}

/** Links the first files of each series, and writes the version of the whole. */
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
