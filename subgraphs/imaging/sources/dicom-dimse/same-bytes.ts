import { open } from 'node:fs/promises';

const CHUNK = 256 * 1024;

/** Whether two files hold the same bytes; one that is gone is the same as none. */
export async function sameBytes(one: string, other: string): Promise<boolean> {
  const files = await Promise.all([one, other].map((path) => open(path).catch(() => undefined)));
  try {
    const [a, b] = files;
    if (!a || !b) return false;
    const [first, second] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
    for (;;) {
      const [x, y] = await Promise.all([a.read(first, 0, CHUNK), b.read(second, 0, CHUNK)]);
      if (!first.subarray(0, x.bytesRead).equals(second.subarray(0, y.bytesRead))) return false;
      if (x.bytesRead === 0) return true;
    }
  } finally {
    await Promise.all(files.map((file) => file?.close()));
  }
}
