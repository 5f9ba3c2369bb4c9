import { randomUUID } from 'node:crypto';
import { createWriteStream, type WriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { number, Tag, text, type DicomJson } from '../../../../schema/dicom.ts';
import { readHeader } from '../folder/header.ts';
import type { IndexedInstance } from '../folder/search.ts';
import type { Target } from '../source.ts';
import type { StoreRequest, StoreSink } from './messages.ts';
import { fileMetaInformation } from './file-meta-information.ts';

/** An instance that came by C-STORE and lies in a file of its own. */
export interface SpooledInstance extends IndexedInstance {
  studyUid: string;
  seriesUid: string;
  seriesNumber: number;
  instanceNumber: number;
}

/** What the PACS is told of an object that we did not want, PS3.7 §C.4.2. */
export const NOT_AUTHORIZED = 0x0124;
export const SUCCESS = 0x0000;
const CANNOT_UNDERSTAND = 0xc000;

/** Bytes that wait for the disk before the PACS has to. */
const HIGH_WATER = 1024 * 1024;
/** Each file's header is read at once, one after the other. */
const WINDOW = Buffer.allocUnsafeSlow(16 * 1024);

/** What becomes of an object. */
export interface SpoolEnds {
  /** Moves the file to where it belongs; false where nobody wants it. */
  take(instance: SpooledInstance): Promise<boolean>;
  /** It cannot be written: the disk is full. */
  failed(cause: unknown): void;
}

/**
 * Where arriving objects are written while it is not yet known whether they are wanted: the data set byte for byte,
 * behind a File Meta Information of ours.
 */
export class Spool implements StoreSink {
  readonly #path: string;
  readonly #stream: WriteStream;
  readonly #take: SpoolEnds['take'];
  #full: Promise<void> | undefined;
  #aborted = false;

  /** @param directory on the file system of what it is moved to */
  constructor(directory: string, request: StoreRequest, { take, failed }: SpoolEnds) {
    this.#path = join(directory, `${randomUUID()}.part`);
    this.#take = take;
    this.#stream = createWriteStream(this.#path, { mode: 0o600, flags: 'wx', highWaterMark: HIGH_WATER });
    // What is not yet written when it is given up fails too: that is no full disk.
    this.#stream.on('error', (cause) => this.#aborted || failed(cause));
    this.#stream.write(fileMetaInformation(request));
  }

  write(fragment: Buffer): Promise<void> | undefined {
    if (this.#stream.errored || this.#stream.write(fragment)) return undefined;
    return (this.#full ??= this.#drained());
  }

  /** A stream that is ended meanwhile never says that it has drained: then its close does. */
  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#full = undefined;
        this.#stream.off('drain', done).off('close', done);
        resolve();
      };
      this.#stream.on('drain', done).on('close', done);
    });
  }

  async end(): Promise<number> {
    this.#stream.end();
    try {
      await finished(this.#stream);
      const instance = await spooled(this.#path);
      if (!instance) return CANNOT_UNDERSTAND;
      return (await this.#take(instance)) ? SUCCESS : NOT_AUTHORIZED;
    } finally {
      await rm(this.#path, { force: true });
    }
  }

  abort(): void {
    this.#aborted = true;
    this.#stream.destroy();
    void finished(this.#stream)
      .catch(() => undefined)
      .then(() => rm(this.#path, { force: true }));
  }
}

/** What the file says of itself; undefined where it is no object. */
async function spooled(path: string): Promise<SpooledInstance | undefined> {
  const header = readHeader(path, WINDOW);
  if (header.kind !== 'instance') return undefined;
  const { size, mtimeMs } = await stat(path);
  const { attributes, transferSyntax } = header;
  const uid = (tag: string): string => text(attributes, tag)!;
  return {
    path,
    size,
    mtime: mtimeMs,
    transferSyntax,
    studyUid: uid(Tag.StudyInstanceUID),
    seriesUid: uid(Tag.SeriesInstanceUID),
    sopInstanceUid: uid(Tag.SOPInstanceUID),
    seriesNumber: order(attributes, Tag.SeriesNumber),
    instanceNumber: order(attributes, Tag.InstanceNumber),
  };
}

/** Objects without a number come first, as in every source; null would not survive JSON as a number. */
function order(attributes: DicomJson, tag: string): number {
  return number(attributes, tag) ?? Number.MIN_SAFE_INTEGER;
}

/** Moves the file into a directory, under a name of ours. */
export async function moved(
  instance: SpooledInstance,
  directory: string,
  name: string,
): Promise<SpooledInstance> {
  const path = join(directory, name);
  await rename(instance.path, path);
  return { ...instance, path };
}

/** Whether an instance is, or is part of, the target. */
export function isWithin(instance: SpooledInstance, { studyUid, seriesUid, instanceUid }: Target): boolean {
  return (
    instance.studyUid === studyUid &&
    (seriesUid === undefined || instance.seriesUid === seriesUid) &&
    (instanceUid === undefined || instance.sopInstanceUid === instanceUid)
  );
}

/** By series and instance numbers, as every source gives the objects of a study. */
export function inOrder(a: SpooledInstance, b: SpooledInstance): number {
  const uids = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return (
    a.seriesNumber - b.seriesNumber ||
    uids(a.seriesUid, b.seriesUid) ||
    a.instanceNumber - b.instanceNumber ||
    uids(a.sopInstanceUid, b.sopInstanceUid)
  );
}
