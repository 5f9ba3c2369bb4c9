import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SettingsError } from '../settings.ts';
import { Database } from '../../schema/process/sqlite.ts';

/** Files below DATA_DIR that cannot be built again. A process of its own has only its part. */
const DATABASES = [join('oauth', 'state.sqlite'), 'seen.sqlite'];

/**
 * Copies what cannot be built again from DATA_DIR into a folder. The gateway may run meanwhile: each database is copied as it
 * is at one moment. Put into an empty DATA_DIR, the copy restores it.
 * @param target a folder that does not exist or is empty; created with mode 0700
 * @returns the copied files, as paths below the folder
 * @throws SettingsError when there is nothing to copy, or the folder has something in it
 */
export function backUp(dataDir: string, target: string | undefined): string[] {
  if (!target) throw new SettingsError('Usage: node dist/gateway/main.js backup FOLDER');
  const folder = resolve(target);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new SettingsError(`${folder} is not empty: a backup needs a folder of its own.`);
  const databases = DATABASES.filter((file) => existsSync(join(dataDir, file)));
  const copied = (file: string): string => {
    mkdirSync(dirname(join(folder, file)), { recursive: true, mode: 0o700 });
    return join(folder, file);
  };
  for (const file of databases) {
    const database = new Database(join(dataDir, file), { fileMustExist: true, timeout: 30_000 });
    database.prepare('VACUUM INTO ?').run(copied(file));
    database.close();
    chmodSync(join(folder, file), 0o600);
  }
  // After the state: a tenant that has sign-ins in it has its keys.
  const keys = keyFiles(dataDir);
  for (const file of keys) copyFileSync(join(dataDir, file), copied(file));
  const all = [...databases, ...keys];
  if (all.length === 0) throw new SettingsError(`DATA_DIR (${dataDir}) has nothing that needs a backup.`);
  return all;
}

/** Returns the keys of authorization servers, and the secret of the demonstration. */
function keyFiles(dataDir: string): string[] {
  const oauth = join(dataDir, 'oauth');
  const keys = existsSync(oauth) ? readdirSync(oauth).filter((name) => name.endsWith('.keys.json')) : [];
  const files = [...keys.map((name) => join('oauth', name)), join('demo', 'secret')];
  return files.filter((file) => existsSync(join(dataDir, file)));
}
