import { closeSync, constants, lstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A file that an operator may put into the folder. Its text then identifies the folder instead of device and inode,
 * which may change with a mount, mostly of network shares.
 */
const MARKER = '.imaging-root';

/** Bytes of the marker that are read. */
const MARKER_BYTES = 256;

/** Identity of a directory at one moment. */
export interface RootIdentity {
  device: string;
  inode: string;
  /** Text of the marker, if there is one. */
  marker?: string;
}

/** Identifies the directory at a path; undefined when there is none, or the file system fails. */
export function identify(path: string): RootIdentity | undefined {
  try {
    const root = statSync(path, { bigint: true });
    if (!root.isDirectory()) return undefined;
    const marker = readMarker(path);
    return { device: String(root.dev), inode: String(root.ino), marker };
  } catch {
    return undefined;
  }
}

/** Tells whether two identities are of the same folder. */
export function isSameRoot(known: RootIdentity, now: RootIdentity): boolean {
  if (known.marker !== undefined) return known.marker === now.marker;
  return known.device === now.device && known.inode === now.inode;
}

/** Reads the marker. @throws errors of the file system, except for a missing file */
function readMarker(path: string): string | undefined {
  const file = join(path, MARKER);
  // Checked first, because throwing an error for each request would cost more.
  if (!lstatSync(file, { throwIfNoEntry: false })) return undefined;
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(MARKER_BYTES);
    return buffer.toString('utf8', 0, readSync(fd, buffer)).trim();
  } finally {
    closeSync(fd);
  }
}
