import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultLog } from '../../../schema/fault/log-fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { isCut, unusable } from './bulk-fault.ts';
import type { BulkFile, BulkManifest, BulkServer } from './bulk-server.ts';
import { LineError, readDeleted, readIssues, saveResources, type IdsByType } from './ndjson.ts';

/** Bytes of all files of an export. */
const MOST_BYTES = 50 * 1024 ** 3;
/** Deleted resources of one export, whose ids are kept in memory. */
const MOST_DELETED = 1_000_000;
/** Issues in a file of the EHR that are told in the log. */
const MOST_ISSUES = 20;
/** Attempts to download a file, and milliseconds between them. */
const ATTEMPTS = 3;
const PAUSE = 5_000;

export interface DownloadSettings {
  tenant: Pick<Tenant, 'key'>;
  /** Types that are needed: an EHR may give others. */
  types: readonly string[];
  log: Pick<FaultLog, 'warn'>;
  /** Milliseconds before a file is asked for again (default: 5 s). */
  pause?: number | undefined;
}

/** The files of one export. */
export class Download {
  readonly #settings: DownloadSettings;
  readonly #server: BulkServer;
  readonly #manifest: BulkManifest;
  readonly #ending: AbortSignal;
  #bytes = 0;

  constructor(
    settings: DownloadSettings,
    { server, manifest, ending }: { server: BulkServer; manifest: BulkManifest; ending: AbortSignal },
  ) {
    this.#settings = settings;
    this.#server = server;
    this.#manifest = manifest;
    this.#ending = ending;
  }

  /**
   * Tells in the log what the EHR says of the export.
   * @throws Fault `bad_gateway` when it says that data are missing
   */
  async tellIssues(): Promise<void> {
    const { log, tenant } = this.#settings;
    const { error, outcome } = this.#manifest;
    for (const url of new Set([...error, ...outcome].map((file) => file.url))) {
      const read = (bytes: AsyncIterable<Uint8Array>) => readIssues(bytes, MOST_ISSUES);
      const { failures, others, unreadable: lines } = await this.#each({ url }, 'errors', read);
      if (failures.length > 0)
        throw unusable(`it says of it: ${failures.map(({ text }) => text).join('; ')}`);
      for (const issue of others) log.warn({ tenant: tenant.key, ...issue }, 'the EHR says of its export');
      if (lines > 0) log.warn({ tenant: tenant.key, lines }, 'a file of errors of the EHR is no NDJSON');
    }
  }

  /** Saves the resources of the types that are needed. */
  async save(folder: string): Promise<void> {
    const wanted = this.#manifest.output.filter(({ type }) => this.#settings.types.includes(type));
    for (const [index, file] of wanted.entries()) {
      const { type, count } = file;
      const path = join(folder, `${type}.${index}.ndjson`);
      const what = `file ${index + 1} of ${wanted.length} (${type})`;
      const saved = await this.#each(file, what, async (bytes) => {
        await rm(path, { force: true });
        return saveResources(bytes, path, { type, base: this.#server.base });
      });
      if (count !== undefined && count !== saved) {
        throw unusable(`${what} has ${saved} resources, and the manifest says ${count}`);
      }
      if (saved === 0) await rm(path);
    }
  }

  /** Returns the resources that are deleted. */
  async deleted(): Promise<IdsByType> {
    const { log, tenant } = this.#settings;
    const deleted: IdsByType = new Map();
    const options = { base: this.#server.base, most: MOST_DELETED };
    for (const file of this.#manifest.deleted) {
      const read = (bytes: AsyncIterable<Uint8Array>) => readDeleted(bytes, deleted, options);
      const entries = await this.#each(file, 'deleted', read);
      const message = 'the EHR says of resources that are not its own, or not named, that they were deleted';
      if (entries > 0) log.warn({ tenant: tenant.key, entries }, message);
    }
    return deleted;
  }

  /** Reads a file, again when its connection ends. @param what names it in the log */
  async #each<T>(
    file: Pick<BulkFile, 'url'>,
    what: string,
    read: (bytes: AsyncIterable<Uint8Array>) => Promise<T>,
  ): Promise<T> {
    const { requiresAccessToken } = this.#manifest;
    for (let attempt = 1; ; attempt++) {
      try {
        const bytes = await this.#server.file(file, requiresAccessToken, this.#ending);
        return await read(this.#counted(bytes));
      } catch (error) {
        if (error instanceof LineError) throw unusable(`${what}: ${error.message}`);
        const isOver = attempt === ATTEMPTS || this.#ending.aborted;
        if (isOver || !isCut(error)) throw error;
        await delay(this.#settings.pause ?? PAUSE, undefined, { signal: this.#ending, ref: false });
      }
    }
  }

  async *#counted(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      this.#bytes += chunk.length;
      if (this.#bytes > MOST_BYTES) throw unusable(`its files have more than ${MOST_BYTES} bytes`);
      yield chunk;
    }
  }
}
