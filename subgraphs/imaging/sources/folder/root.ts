import { closeSync, constants, lstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A file that an operator may put into the folder to name it. Its text then tells the folder from another, and not the
 * device and inode: these differ after some mounts, above all of network shares.
 */
const MARKER = '.imaging-root';

/** Bytes of the marker that count. */
const MARKER_BYTES = 256;

/** The directory that a path leads to at one moment. */
export interface RootIdentity {
  device: string;
  inode: string;
  /** Text of the marker, where there is one. */
  marker?: string;
}

/** The directory at a path; undefined where there is none, or the file system does not answer for it. */
export function identify(path: string): RootIdentity | undefined {
  try {
    const root = statSync(path, { bigint: true });
    if (!root.isDirectory()) return undefined;
    const marker = readMarker(path);
    return { device: String(root.dev), inode: String(root.ino), ...(marker !== undefined && { marker }) };
  } catch {
    return undefined;
  }
}

/** Whether two looks at the path met the same folder. */
export function isSameRoot(known: RootIdentity, now: RootIdentity): boolean {
  if (known.marker !== undefined) return known.marker === now.marker;
  return known.device === now.device && known.inode === now.inode;
}

/** @throws what the file system says, unless there is no such file */
function readMarker(path: string): string | undefined {
  const file = join(path, MARKER);
  // Asked first: an error for each request would cost more than the question.
  if (!lstatSync(file, { throwIfNoEntry: false })) return undefined;
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(MARKER_BYTES);
    return buffer.toString('utf8', 0, readSync(fd, buffer)).trim();
  } finally {
    closeSync(fd);
  }
}
