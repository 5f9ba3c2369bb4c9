import { closeSync, openSync, unlinkSync } from 'node:fs';
import { Budget } from '../dicom/part10/budget.ts';
import { Bytes, DamagedFile } from '../dicom/part10/bytes.ts';
import { deflatedFrom, readFile, type DicomFile, type FileOptions } from '../dicom/part10/file.ts';
import { inflate, type OpenFile } from '../dicom/part10/inflate.ts';
import { unlessNoRoom } from '../disk/no-room.ts';
import { temporaryPath } from '../disk/temporary-path.ts';

/** A file that a task reads. The caller keeps it open until the task has ended, and closes it. */
export interface ParsedFile extends OpenFile {
  /** Elements and values that the object may have. */
  objectElements: number;
}

/**
 * Parses an open file to its end, inflated if necessary.
 * @throws DamagedFile; Fault `unavailable` when the disk has no room to inflate it
 */
export function withParsed<T>(
  { objectElements, ...file }: ParsedFile,
  work: (file: DicomFile, budget: Budget) => T,
): Promise<T> {
  const budget = new Budget(objectElements);
  return withFile(
    new Bytes(file),
    { budget },
    (parsed) => {
      if (!parsed) throw new DamagedFile('The file is not DICOM.');
      return work(parsed, budget);
    },
    file,
  );
}

/**
 * Parses the bytes of an open file up to the end that the options set.
 * @param work gets undefined for a file that is not DICOM
 */
export async function withFile<T>(
  bytes: Bytes,
  options: FileOptions,
  work: (file: DicomFile | undefined) => T,
  file: OpenFile,
): Promise<T> {
  const start = deflatedFrom(bytes);
  if (start === undefined) return work(readFile(bytes, options));
  const path = temporaryPath('inflated');
  const fd = openSync(path, 'wx+', 0o600);
  try {
    // The file disappears when it is closed, also when the thread is ended.
    unlinkSync(path);
    const size = await inflate(file, start, fd);
    return work(readFile(bytes, { ...options, inflated: new Bytes({ fd, size }) }));
  } catch (error) {
    throw unlessNoRoom(error);
  } finally {
    closeSync(fd);
  }
}

export interface InflateTask extends ParsedFile {
  path: string;
}

/**
 * Inflates the data set of a deflated file to a path.
 * @throws DamagedFile; Fault `unavailable` when the disk has no room for it
 */
export async function inflateFile({ path, fd, size }: InflateTask): Promise<void> {
  const start = deflatedFrom(new Bytes({ fd, size }));
  if (start === undefined) throw new DamagedFile('The data set is not deflated.');
  const to = openSync(path, 'wx', 0o600);
  try {
    await inflate({ fd, size }, start, to);
  } catch (error) {
    throw unlessNoRoom(error);
  } finally {
    closeSync(to);
  }
}
