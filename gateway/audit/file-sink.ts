import { mkdir, open, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Delivered } from './delivery.ts';

/**
 * Appends lines to a file that only its owner may read. Each batch is one write with O_APPEND, so that several processes
 * may share a file. A batch counts as recorded when it is on the disk (fdatasync). Rotation is left to logrotate: a file
 * that was moved away is opened anew, and `copytruncate` works too.
 */
export function fileSink(path: string): {
  write(lines: string[]): Promise<Delivered[]>;
  close(): Promise<void>;
} {
  let handle: FileHandle | undefined;
  const opened = async (): Promise<FileHandle> => {
    if (handle) {
      const [own, named] = await Promise.all([handle.stat(), stat(path).catch(() => undefined)]);
      if (named && own.ino === named.ino && own.dev === named.dev) return handle;
      await handle.close();
      handle = undefined;
    }
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return (handle = await open(path, 'a', 0o600));
  };
  return {
    async write(lines) {
      const file = await opened();
      await file.appendFile(lines.map((line) => `${line}\n`).join(''));
      await file.datasync();
      return lines.map((): Delivered => 'recorded');
    },
    async close() {
      await handle?.close();
      handle = undefined;
    },
  };
}
