import type { Resource } from 'fhir/r4.js';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFhirJson } from '../../../schema/fhir/decimal.ts';
import type { ExportOutput } from './export-jobs.ts';
import type { ExportedFile } from './job-folder.ts';

/** Characters that are written at a time. */
const CHUNK = 256 * 1024;

interface Writing extends ExportedFile {
  handle: FileHandle;
  waiting: string[];
  length: number;
}

/** Writes resources into one NDJSON file for each type, in a folder that exists. */
export class NdjsonFiles {
  readonly #output: ExportOutput;
  readonly #files = new Map<string, Writing>();

  constructor(output: ExportOutput) {
    this.#output = output;
  }

  /** Adds a line. @param type names the file; by default the type of the resource */
  async add(resource: Resource, type: string = resource.resourceType): Promise<void> {
    await this.addLines(type, [writeFhirJson(resource)]);
  }

  /** Adds lines to the file of a type. @param lines resources as `writeFhirJson` writes them */
  async addLines(type: string, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const file = this.#files.get(type) ?? (await this.#begin(type));
    for (const line of lines) {
      file.waiting.push(line);
      file.length += line.length;
      file.count += 1;
      if (file.length >= CHUNK) await this.#flush(file);
    }
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
    const handle = await open(join(this.#output.folder, name), 'wx', 0o600);
    const file: Writing = { name, type, handle, count: 0, bytes: 0, waiting: [], length: 0 };
    this.#files.set(type, file);
    return file;
  }

  async #flush(file: Writing): Promise<void> {
    const data = Buffer.from(file.waiting.map((line) => `${line}\n`).join(''));
    file.waiting = [];
    file.length = 0;
    this.#output.takeRoom(data.length);
    await file.handle.appendFile(data);
    file.bytes += data.length;
  }
}
