import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * Which build of this software makes what is given: another wherever anything could come out otherwise, since its sources
 * and packages were. All gateways of one image are one build; what runs without having been built is one for itself.
 * @param folder that a build writes its hash into
 */
export function buildIn(folder: URL): string {
  try {
    return readFileSync(new URL('.build-hash', folder), 'utf8');
  } catch {
    return randomUUID();
  }
}

/** Goes into the tags of what is made of an instance, and into the names of thumbnails. */
export const BUILD_ID = buildIn(new URL('../../../', import.meta.url));
