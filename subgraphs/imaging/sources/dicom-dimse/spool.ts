import { randomUUID } from 'node:crypto';
import { createWriteStream, type WriteStream } from 'node:fs';
import { access, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { number, OBJECT_ELEMENTS, Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { ParsingThreads } from '../../threads/parsing-threads.ts';
import type { IndexedInstance } from '../folder/search.ts';
import { isOfPatient, statedPatient } from '../../facts/of-patients.ts';
import type { StatedPatient, Target } from '../source.ts';
import type { StoreRequest, StoreSink } from './wire/messages.ts';
import { fileMetaInformation } from './file-meta-information.ts';

/** An instance that came by C-STORE and lies in a file of its own. */
export interface SpooledInstance extends IndexedInstance {
  studyUid: string;
  seriesUid: string;
  patient: StatedPatient;
  seriesNumber: number;
  instanceNumber: number;
}

/** What the PACS is told of an object that we did not want, PS3.7 §C.4.2. */
export const NOT_AUTHORIZED = 0x0124;
export const SUCCESS = 0x0000;
const CANNOT_UNDERSTAND = 0xc000;

/** Takes nothing of an object, and says so. */
export const refusedObject: StoreSink = {
  write: () => undefined,
  end: () => Promise.resolve(NOT_AUTHORIZED),
  abort: () => undefined,
};

/** Bytes that wait for the disk before the PACS has to. */
const HIGH_WATER = 1024 * 1024;

/** Where objects are written before they belong to a retrieval, and what parses their headers. */
export interface Incoming {
  /** On the file system of what they are moved to. */
  directory: string;
  threads: ParsingThreads;
}

/** What becomes of an object. */
export interface SpoolEnds {
  /** Moves the file to where it belongs; false where nobody wants it. */
  take(instance: SpooledInstance): Promise<boolean>;
  /** It cannot be kept: the disk is full, or has lost it. */
  failed(cause: unknown): void;
}

/**
 * Where arriving objects are written while it is not yet known whether they are wanted: the data set byte for byte,
 * behind a File Meta Information of ours.
 */
export class Spool implements StoreSink {
  readonly #path: string;
  readonly #sopInstanceUid: string;
  readonly #stream: WriteStream;
  readonly #threads: ParsingThreads;
  readonly #ends: SpoolEnds;
  #full: Promise<void> | undefined;
  #aborted = false;

  constructor({ directory, threads }: Incoming, request: StoreRequest, ends: SpoolEnds) {
    this.#threads = threads;
    this.#sopInstanceUid = request.sopInstanceUid;
    this.#path = join(directory, `${randomUUID()}.part`);
    this.#ends = ends;
    this.#stream = createWriteStream(this.#path, { mode: 0o600, flags: 'wx', highWaterMark: HIGH_WATER });
    // What is not yet written when it is given up fails too: that is no full disk.
    this.#stream.on('error', (cause) => this.#aborted || ends.failed(cause));
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
      // A file that is gone again says nothing about the object.
      await access(this.#path).catch(this.#ends.failed);
      const instance = await spooled(this.#path, this.#threads);
      // It is what it was announced as, or else nothing that is said of it holds.
      if (instance?.sopInstanceUid !== this.#sopInstanceUid) return CANNOT_UNDERSTAND;
      return (await this.#ends.take(instance)) ? SUCCESS : NOT_AUTHORIZED;
    } finally {
      await rm(this.#path, { force: true });
    }
  }

  abort(): void {
    this.#aborted = true;
    this.#stream.destroy();
    void finished(this.#stream)
      .catch(() => undefined)
      .then(() => rm(this.#path, { force: true }))
      .catch(() => undefined);
  }
}

/** What the file says of itself; undefined where it is no object. */
async function spooled(path: string, threads: ParsingThreads): Promise<SpooledInstance | undefined> {
  // What an object may have is for those to say who ask for more of it.
  const task = { paths: [path], objectElements: OBJECT_ELEMENTS };
  const [header] = await threads.run('headers', task).catch(() => []);
  if (header?.kind !== 'instance') return undefined;
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
    patient: statedPatient(attributes),
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
export function isWithin(
  instance: SpooledInstance,
  { studyUid, seriesUid, instanceUid, patient }: Target,
): boolean {
  return (
    instance.studyUid === studyUid &&
    (patient === undefined || isOfPatient(instance.patient, patient)) &&
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
