/** Images of the demonstration, made once for all tests, which only read them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildDemoImages } from '../../demo/images.ts';

const root = join(import.meta.dirname, '../../..');
const cache = join(root, 'node_modules/.cache/demo-images');

/** Made by the sources. */
export const DEMO_IMAGES = join(cache, 'sources');
/** Made by the built gateway, which would take those of the sources for another version. */
export const BUILT_DEMO_IMAGES = join(cache, 'built');

/** Hook of Vitest (globalSetup): makes both where they are missing, those of the build only where there is a build. */
export async function setup(): Promise<void> {
  await buildDemoImages({ target: DEMO_IMAGES });
  const built = join(root, 'dist/gateway/demo/images.js');
  if (!existsSync(built)) return;
  const { buildDemoImages: build } = (await import(pathToFileURL(built).href)) as {
    buildDemoImages: typeof buildDemoImages;
  };
  await build({ target: BUILT_DEMO_IMAGES });
}
