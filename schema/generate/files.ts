import { readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Contents by file name, in one folder. */
export type Files = Readonly<Record<string, string>>;

/** Writes generated files. */
function writeFiles(folder: URL, files: Files): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(new URL(name, folder), text);
}

/** The names of the files that are missing or not what they would be if they were written now. */
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
 * Writes the files, or with `--check` among the arguments says which are stale.
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
    `Stale in ${relative('.', fileURLToPath(folder))}: ${stale.join(', ')}. Run \`${command}\` and commit what it writes.`,
  );
  return 1;
}
