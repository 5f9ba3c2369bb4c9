/** The demonstration's images, made once for all tests, which only read them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildDemoImages } from '../../demo/images.ts';

const root = join(import.meta.dirname, '../../..');
const cache = join(root, 'node_modules/.cache/demo-images');

/** As the sources make them. */
export const DEMO_IMAGES = join(cache, 'sources');
/** As the built gateway makes them: it holds those of the sources to be of another version. */
export const BUILT_DEMO_IMAGES = join(cache, 'built');

/** Vitest's globalSetup hook: makes both, unless they are there; those of the build where there is a build. */
export async function setup(): Promise<void> {
  await buildDemoImages({ target: DEMO_IMAGES });
  const built = join(root, 'dist/gateway/demo/images.js');
  if (!existsSync(built)) return;
  const { buildDemoImages: build } = (await import(pathToFileURL(built).href)) as {
    buildDemoImages: typeof buildDemoImages;
  };
  await build({ target: BUILT_DEMO_IMAGES });
}
