import { createHash } from 'node:crypto';
import type { IndexedInstance } from '../folder/search.ts';

/** Returns a text that changes with the files: from their sizes and times of last change. */
export function stampOf(files: readonly IndexedInstance[]): string {
  const each = files.map(
    ({ sopInstanceUid, size, mtime, ctime = '' }) => `${sopInstanceUid} ${size} ${mtime} ${ctime}`,
  );
  return each.length === 1 ? each[0]! : createHash('sha256').update(each.join('\n')).digest('base64url');
}
