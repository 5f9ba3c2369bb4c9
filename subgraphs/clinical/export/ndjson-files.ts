import type { Resource } from 'fhir/r4.js';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFhirJson } from '../../../schema/fhir/decimal.ts';

/** One finished file of an export. */
export interface ExportedFile {
  /** Name in the folder of the export: `Observation.ndjson`. */
  name: string;
  /** Resource type of all its lines. */
  type: string;
  count: number;
  bytes: number;
}

/** Characters that are written at a time. */
const CHUNK = 256 * 1024;

interface Writing extends ExportedFile {
  handle: FileHandle;
  waiting: string[];
  length: number;
}

/** Writes resources into one NDJSON file for each type, in a folder that exists. */
export class NdjsonFiles {
  readonly #folder: string;
  readonly #takeRoom: (bytes: number) => void;
  readonly #files = new Map<string, Writing>();

  /** @param takeRoom is called before bytes are written; throws when there is no room for them */
  constructor(folder: string, takeRoom: (bytes: number) => void) {
    this.#folder = folder;
    this.#takeRoom = takeRoom;
  }

  /** Adds a line. @param type names the file; by default the type of the resource */
  async add(resource: Resource, type: string = resource.resourceType): Promise<void> {
    const file = this.#files.get(type) ?? (await this.#begin(type));
    const line = `${writeFhirJson(resource)}\n`;
    file.waiting.push(line);
    file.length += line.length;
    file.count += 1;
    if (file.length >= CHUNK) await this.#flush(file);
  }

  /** Writes the rest to the disk. @returns the files; nothing can be added after that */
  async finish(): Promise<ExportedFile[]> {
    const finished: ExportedFile[] = [];
    for (const file of this.#files.values()) {
      await this.#flush(file);
      // A manifest must not outlive a power failure that its files do not.
      await file.handle.sync();
      const { name, type, count, bytes } = file;
      finished.push({ name, type, count, bytes });
    }
    await this.close();
    return finished;
  }

  async close(): Promise<void> {
    const open = [...this.#files.values()];
    this.#files.clear();
    await Promise.all(open.map(({ handle }) => handle.close()));
  }

  async #begin(type: string): Promise<Writing> {
    const name = `${type}.ndjson`;
    const handle = await open(join(this.#folder, name), 'wx', 0o600);
    const file: Writing = { name, type, handle, count: 0, bytes: 0, waiting: [], length: 0 };
    this.#files.set(type, file);
    return file;
  }

  async #flush(file: Writing): Promise<void> {
    const data = Buffer.from(file.waiting.join(''));
    file.waiting = [];
    file.length = 0;
    this.#takeRoom(data.length);
    await file.handle.appendFile(data);
    file.bytes += data.length;
  }
}
