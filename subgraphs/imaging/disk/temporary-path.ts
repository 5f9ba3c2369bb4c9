import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Returns a new path in the directory for temporary files. */
export function temporaryPath(content: 'frame' | 'inflated'): string {
  return join(tmpdir(), `${content}-${randomUUID()}`);
}
