import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What stands in a file; undefined where there is none. */
export function readKept(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Makes a file that its owner alone can read (mode 0600), in a folder that is made with mode 0700 where it is not there.
 * Of two processes that make it at once, the first one's stays.
 * @returns what stands in it now
 */
export function keep(file: string, content: string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // A link is there whole or not at all.
  const draft = join(dirname(file), `.${randomUUID()}`);
  writeFileSync(draft, content, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  return readFileSync(file, 'utf8');
}
