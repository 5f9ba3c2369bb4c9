import { randomBytes } from 'node:crypto';
import { keep, readKept } from '../state/kept-file.ts';

/**
 * The secret of the demonstration's backend client, `demo-analyst`: made where there is none, so that none is shipped,
 * and kept in a file, so that a newcomer's command names the file and not the secret.
 * @param file in `DATA_DIR`
 */
export function demoSecret(file: string): string {
  return readKept(file) ?? keep(file, randomBytes(24).toString('base64url'));
}
