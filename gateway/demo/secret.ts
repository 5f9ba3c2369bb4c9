import { randomBytes } from 'node:crypto';
import { keep, readKept } from '../state/kept-file.ts';

/**
 * Returns the secret of the demonstration's backend client, `demo-analyst`. It is created at first use, so that none is
 * shipped, and kept in a file, so that the command for a newcomer has the file's name and not the secret.
 * @param file path in `DATA_DIR`
 */
export function demoSecret(file: string): string {
  return readKept(file) ?? keep(file, randomBytes(24).toString('base64url'));
}
