import { repeatedly } from '../../../schema/process/repeatedly.ts';
import { readFile } from 'node:fs/promises';

/**
 * Reads a file again and again, until the signal aborts, and reports each other content once. It compares contents: Kubernetes
 * replaces a file by another link, and not every volume tells of changes. A content counts when it is read twice, because a
 * program may be writing the file.
 * @param file its path, the milliseconds between two reads, and the content that is known
 * @param onChange is called with another content, or with the error of a file that cannot be read
 */
export function watchFile(
  { path, interval, content: known }: { path: string; interval: number; content: string },
  signal: AbortSignal,
  onChange: (content: string | Error) => Promise<void>,
): Promise<void> {
  let seen = known;
  let reported = known;
  return repeatedly(interval, signal, async () => {
    const content = await readFile(path, 'utf8').catch((error: Error) => error);
    const text = String(content);
    const isSettled = text === seen;
    seen = text;
    if (!isSettled || text === reported) return;
    reported = text;
    await onChange(content);
  });
}
