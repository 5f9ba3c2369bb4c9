/**
 * Copies the files of npm packages that the demonstration shows, with their licences, into the build: an installation of the
 * product does not have these packages. `gateway/build.mjs` runs it.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { copyOf, folderOf, IMAGE_PACKAGES } from './sources.ts';
import { demoStudies } from './stories.ts';

const shown = demoStudies.flatMap(({ series }) => series.filter((one) => 'package' in one));
for (const name of IMAGE_PACKAGES) {
  const images = shown.flatMap((series) => (series.package === name ? series.files : []));
  const installed = folderOf(name);
  for (const path of ['package.json', 'LICENSE', ...images]) {
    const target = join(copyOf(name), path);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(installed, path), target);
  }
}
