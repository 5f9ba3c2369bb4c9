import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Reads a file; undefined when it does not exist. */
export function readKept(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Creates a file that only its owner can read (mode 0600), and its folder (mode 0700) if missing. If the file exists, or
 * two processes create it at once, the first content stays.
 * @returns the content of the file now
 */
export function keep(file: string, content: string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // A link appears with the whole content or not at all.
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
