/** A checkout of the first release candidate, with which speeds are compared. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const COMMIT = '9081880';
/** Kept between runs. */
const FOLDER = join(root, 'node_modules/.cache/bench-old');

/** Installs and builds the old commit where that has not been done. @returns its folder @throws in a shallow clone */
export async function oldCheckout(): Promise<string> {
  if (existsSync(join(FOLDER, 'dist/.build-hash'))) return FOLDER;
  process.stdout.write(`Building commit ${COMMIT} for comparison.\n`);
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  const archive = execFileSync('git', ['archive', COMMIT], { cwd: root, maxBuffer: 1e9 });
  execFileSync('tar', ['-x', '-C', FOLDER], { input: archive });
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: FOLDER, stdio: 'ignore' });
  run('npm', 'ci', '--include=dev', '--no-audit', '--no-fund');
  run(process.execPath, 'gateway/build.mjs');
  return FOLDER;
}
