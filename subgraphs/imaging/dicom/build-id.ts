import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * Returns the id of the build, a hash of its sources and packages. It changes when output could change. All gateways
 * from one container image have the same id. A process that runs without a build gets an id only for itself.
 * @param folder into which a build writes its hash
 */
export function buildIn(folder: URL): string {
  try {
    return readFileSync(new URL('.build-hash', folder), 'utf8');
  } catch {
    return randomUUID();
  }
}

/** Part of the entity tags of data derived from an instance, and of the names of thumbnails. */
export const BUILD_ID = buildIn(new URL('../../../', import.meta.url));
