import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Contents of files in one folder, by file name. */
export type Files = Readonly<Record<string, string>>;

function writeFiles(folder: URL, files: Files): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(new URL(name, folder), text);
}

/** Returns the names of the files that are missing or differ from the given contents. */
export function staleFiles(folder: URL, files: Files): string[] {
  return Object.entries(files)
    .filter(([name, text]) => textOf(new URL(name, folder)) !== text)
    .map(([name]) => name);
}

function textOf(file: URL): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Writes the files. With `--check` among the arguments it only reports the stale ones.
 * @returns the exit code of the command
 */
export function writeOrCheck(folder: URL, files: Files, args: readonly string[], command: string): number {
  if (!args.includes('--check')) {
    writeFiles(folder, files);
    return 0;
  }
  const stale = staleFiles(folder, files);
  if (stale.length === 0) return 0;
  console.error(
    `Stale in ${relative('.', fileURLToPath(folder))}: ${stale.join(', ')}. Run \`${command}\` and commit the result.`,
  );
  return 1;
}
