import dimse from 'dcmjs-dimse';
import { randomUUID } from 'node:crypto';
import { createWriteStream, type WriteStream } from 'node:fs';
import { access, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { number, OBJECT_ELEMENTS, Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { ParsingThreads } from '../../threads/parsing-threads.ts';
import type { IndexedInstance } from '../folder/search.ts';
import { isOfPatient, statedPatient } from '../../facts/stated-patient.ts';
import type { StatedPatient, Target } from '../source.ts';
import type { StoreRequest, StoreSink } from './wire/messages.ts';
import { compareText } from '../../../../schema/process/texts.ts';

/** An instance from C-STORE, in a separate file. */
export interface SpooledInstance extends IndexedInstance {
  studyUid: string;
  seriesUid: string;
  patient: StatedPatient;
  seriesNumber: number;
  instanceNumber: number;
}

/** Status for the PACS of an object that is refused, PS3.7 §C.4.2. */
export const NOT_AUTHORIZED = 0x0124;
export const SUCCESS = 0x0000;
const CANNOT_UNDERSTAND = 0xc000;

/** Ignores the bytes of an object, and answers that it is refused. */
export const refusedObject: StoreSink = {
  write: () => undefined,
  end: () => Promise.resolve(NOT_AUTHORIZED),
  abort: () => undefined,
};

/** Bytes that wait for the disk before the PACS has to wait. */
const HIGH_WATER = 1024 * 1024;

/** Place for arriving objects before they belong to a retrieval, and threads that parse their headers. */
export interface Incoming {
  /** On the same file system as the cache, because files are moved. */
  directory: string;
  threads: ParsingThreads;
}

/** Called at the end of an object. */
export interface SpoolEnds {
  /** Moves the file to its place. Resolves to false when the object is refused. */
  take(instance: SpooledInstance): Promise<boolean>;
  /** Called when the object cannot be kept, because the disk is full or has lost it. */
  failed(cause: unknown): void;
}

/**
 * Writes an arriving object to a file before it is known whether it is accepted: new File Meta Information, then the
 * data set byte for byte.
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
    // Pending writes also fail after an abort, which does not mean a full disk.
    this.#stream.on('error', (cause) => this.#aborted || ends.failed(cause));
    this.#stream.write(fileMetaInformation(request));
  }

  write(fragment: Buffer): Promise<void> | undefined {
    if (this.#stream.errored || this.#stream.write(fragment)) return undefined;
    return (this.#full ??= this.#drained());
  }

  /** Resolves when the stream has drained, or was closed before. */
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
      // A missing file is a failure of the disk, not of the object.
      await access(this.#path).catch(this.#ends.failed);
      const instance = await spooled(this.#path, this.#threads);
      // An object that differs from its announcement is refused.
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

/** Reads the header of a file; undefined when it is not a DICOM object. */
async function spooled(path: string, threads: ParsingThreads): Promise<SpooledInstance | undefined> {
  // The limits of a tenant apply later, when more of the object is read.
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

/** Returns a number for sorting. Objects without one come first, as in every source. JSON has no -Infinity. */
function order(attributes: DicomJson, tag: string): number {
  return number(attributes, tag) ?? Number.MIN_SAFE_INTEGER;
}

/** Moves the file into a directory with a new name. */
export async function moved(
  instance: SpooledInstance,
  directory: string,
  name: string,
): Promise<SpooledInstance> {
  const path = join(directory, name);
  await rename(instance.path, path);
  return { ...instance, path };
}

/** Tells whether an instance is, or is part of, the target. */
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

/** Compares by series and instance numbers, the order of objects in every source. */
export function inOrder(a: SpooledInstance, b: SpooledInstance): number {
  return (
    a.seriesNumber - b.seriesNumber ||
    compareText(a.seriesUid, b.seriesUid) ||
    a.instanceNumber - b.instanceNumber ||
    compareText(a.sopInstanceUid, b.sopInstanceUid)
  );
}

const { Implementation } = dimse;

/** Returns preamble and File Meta Information, PS3.10 §7.1, to store a data set from C-STORE as a file. */
function fileMetaInformation({ sopClassUid, sopInstanceUid, transferSyntax }: StoreRequest): Buffer {
  const group = Buffer.concat([
    // PS3.10 table 7.1-1: version 1, two bytes of OB.
    Buffer.from([0x02, 0x00, 0x01, 0x00, 0x4f, 0x42, 0, 0, 2, 0, 0, 0, 0x00, 0x01]),
    element(0x0002, 'UI', sopClassUid),
    element(0x0003, 'UI', sopInstanceUid),
    element(0x0010, 'UI', transferSyntax),
    element(0x0012, 'UI', Implementation.getImplementationClassUid()),
  ]);
  const length = Buffer.from([0x02, 0x00, 0x00, 0x00, 0x55, 0x4c, 4, 0, 0, 0, 0, 0]);
  length.writeUInt32LE(group.length, 8);
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), length, group]);
}

function element(number: number, vr: string, value: string): Buffer {
  const bytes = Buffer.from(value.length & 1 ? `${value}\0` : value, 'latin1');
  const header = Buffer.from([0x02, 0x00, 0, 0, 0, 0, 0, 0]);
  header.writeUInt16LE(number, 2);
  header.write(vr, 4, 'latin1');
  header.writeUInt16LE(bytes.length, 6);
  return Buffer.concat([header, bytes]);
}
