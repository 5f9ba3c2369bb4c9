/** The demonstration's images, made once for all tests, which only read them. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as images from '../../demo/images.ts';
import { buildDemoImages, MARKER } from '../../demo/images.ts';

const root = join(import.meta.dirname, '../../..');
const cache = join(root, 'node_modules/.cache/demo-images');

/** As the sources make them. */
export const DEMO_IMAGES = join(cache, 'sources');
/** As the built gateway makes them: it holds those of the sources to be of another version. */
export const BUILT_DEMO_IMAGES = join(cache, 'built');

/**
 * Vitest's globalSetup hook: makes them, unless they are there. Where there is a build it has the same ones: the code that
 * makes them is the same.
 */
export async function setup(): Promise<void> {
  await buildDemoImages({ target: DEMO_IMAGES });
  const built = join(root, 'dist/gateway/demo/images.js');
  if (!existsSync(built)) return;
  const { contentVersion } = (await import(pathToFileURL(built).href)) as Partial<typeof images>;
  if (!contentVersion) throw new Error('dist/ is older than the tests: npm run build');
  const marker = join(BUILT_DEMO_IMAGES, MARKER);
  if (existsSync(marker) && readFileSync(marker, 'utf8') === contentVersion()) return;
  rmSync(BUILT_DEMO_IMAGES, { recursive: true, force: true });
  execFileSync('cp', ['-al', DEMO_IMAGES, BUILT_DEMO_IMAGES]);
  // One file of both until now.
  rmSync(marker);
  writeFileSync(marker, contentVersion());
}
