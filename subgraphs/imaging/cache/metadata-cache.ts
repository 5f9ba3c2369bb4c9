import { SingleFlight } from '../../../schema/concurrency/single-flight.ts';
import type { CountLookup } from '../../../schema/process/cache-lookups.ts';
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { withBase } from '../dicom/bulk-data-base.ts';
import {
  compressedChunks,
  decompressedChunks,
  joined,
  type Coding,
} from '../../../schema/http/content-coding.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import type { SelectTask, SelectedAttributes } from '../parsing/select-attributes.ts';
import type { ParsingThreads } from '../threads/parsing-threads.ts';
import type { Target } from '../sources/source.ts';
import { grouped } from '../facts/study-rows.ts';

/** Seconds after which metadata are loaded again, even if the number of instances is the same. */
const METADATA_TTL = 300;
/** Bytes kept of compressed series, and of encoded answers. */
const MAX_SERIES_BYTES = 64 * 1024 * 1024;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Bytes of one answer. A larger one, which only clients without compression get, is encoded for each request. */
const MAX_KEPT_ANSWER = 8 * 1024 * 1024;

/** The metadata of a study, series or instance, in the order of series and instance numbers (DW-6). */
export interface EncodedMetadata {
  /** Digest of the content without the base of its bulk data. */
  readonly tag: string;
  /** Returns DICOM JSON with every BulkDataURI below this base. */
  encoded(base: string, coding: Coding): Promise<Buffer>;
  /**
   * Selects attributes of instances, in one task for each series.
   * @param task without the rows, which are kept here
   */
  selected(task: Omit<SelectTask, 'packed'>): Promise<SelectedAttributes[]>;
}

/** The rows of one series as JSON, without the brackets. */
interface Series {
  tag: string;
  packed: Buffer;
}

/**
 * Keeps metadata by series, compressed. They are kept apart from authorization (IA-29): callers are authorized before
 * they ask. Equal questions at the same time are loaded once.
 */
export class MetadataCache {
  readonly #series = new LRUCache<string, Series>({
    maxSize: MAX_SERIES_BYTES,
    sizeCalculation: ({ packed }) => packed.length + 1,
    ttl: METADATA_TTL * 1000,
  });
  /** Keys of the series of a study, in order. */
  readonly #studies = new LRUCache<string, readonly string[]>({
    max: 10_000,
    ttl: METADATA_TTL * 1000,
  });
  readonly #answers = new LRUCache<string, Buffer>({
    maxSize: MAX_ANSWER_BYTES,
    maxEntrySize: MAX_KEPT_ANSWER,
    sizeCalculation: ({ length }) => length + 1,
  });
  readonly #loading = new SingleFlight<EncodedMetadata>();
  readonly #threads: ParsingThreads;
  readonly #count: CountLookup | undefined;

  /** @param threads parse rows of which single attributes are asked */
  constructor(threads: ParsingThreads, count?: CountLookup) {
    this.#threads = threads;
    this.#count = count;
  }

  /**
   * Returns metadata of a target, loaded if they are not kept.
   * @param version names tenant, source and study, and changes when the study has other instances
   * @param load loads metadata of the target from its source
   */
  async of(
    version: string,
    target: Target,
    load: (target: Target) => Promise<ObjectMetadata[]>,
  ): Promise<EncodedMetadata> {
    const { seriesUid, instanceUid } = target;
    // One instance of many: loading it is cheaper than finding it in its series.
    if (instanceUid !== undefined) return this.#encoded([await pack(await load(target))]);
    const kept = this.kept(version, target);
    this.#count?.('metadata', kept !== undefined);
    if (kept) return kept;
    const key = (uid: string) => keyOf(version, uid);
    return this.#loading.run(`${version}\n${seriesUid ?? ''}`, async () => {
      const objects = inOrder(await load(target));
      const bySeries = () => [...grouped(objects, ({ seriesUid }) => seriesUid)];
      const groups = seriesUid === undefined ? bySeries() : [[seriesUid, objects] as const];
      const packed = await Promise.all(groups.map(([, objects]) => pack(objects)));
      const keys = groups.map(([uid]) => key(uid));
      for (const [index, one] of packed.entries()) this.#series.set(keys[index]!, one);
      if (seriesUid === undefined) this.#studies.set(version, keys);
      return this.#encoded(packed);
    });
  }

  /** Returns metadata of a study or series that are kept, without waiting. */
  kept(version: string, { seriesUid, instanceUid }: Target): EncodedMetadata | undefined {
    if (instanceUid !== undefined) return undefined;
    const wanted = seriesUid === undefined ? this.#studies.get(version) : [keyOf(version, seriesUid)];
    const kept = wanted?.map((one) => this.#series.get(one));
    return kept?.every((one) => one !== undefined) ? this.#encoded(kept) : undefined;
  }

  /** Forgets the metadata of a tenant, or of all tenants. */
  invalidate(tenantKey?: string): void {
    for (const cache of [this.#series, this.#studies]) {
      for (const key of cache.keys()) {
        if (tenantKey === undefined || key.startsWith(`${tenantKey}\n`)) cache.delete(key);
      }
    }
  }

  #encoded(series: readonly Series[]): EncodedMetadata {
    const tag = digest(series.map((one) => one.tag).join('\n'));
    const answers = this.#answers;
    const threads = this.#threads;
    const packed = series.map((one) => one.packed);
    return {
      tag,
      async encoded(base, coding) {
        const key = [tag, base, coding].join('\n');
        const known = answers.get(key);
        if (known) return known;
        const bytes = await joined(compressedChunks(rebased(packed, base), coding));
        answers.set(key, bytes);
        return bytes;
      },
      async selected(task) {
        // Copies, because their buffers are transferred to the thread.
        const tasks = packed.map((one) => () => ({ ...task, packed: new Uint8Array(one) }));
        return (await Promise.all(tasks.map((one) => threads.run('selectAttributes', one)))).flat();
      },
    };
  }
}

const keyOf = (version: string, seriesUid: string) => `${version}\n${seriesUid}`;

/** Sorts series and instances by their numbers, then by their UIDs. */
function inOrder(objects: readonly ObjectMetadata[]): ObjectMetadata[] {
  return objects.toSorted(
    (a, b) =>
      byNumber([a.seriesNumber, a.seriesUid], [b.seriesNumber, b.seriesUid]) ||
      byNumber([a.instanceNumber, a.sopInstanceUid], [b.instanceNumber, b.sopInstanceUid]),
  );
}

type Numbered = readonly [number: number | undefined, uid: string | undefined];

/** Compares by number, those without a number last, then by UID. */
function byNumber(
  [first = Number.MAX_VALUE, one = '']: Numbered,
  [second = Number.MAX_VALUE, other = '']: Numbered,
) {
  if (first !== second) return first - second;
  return one < other ? -1 : one > other ? 1 : 0;
}

async function pack(objects: readonly ObjectMetadata[]): Promise<Series> {
  const tag = digest(objects.map((one) => one.tag).join('\n'));
  const rows = objects.flatMap(({ json }, i) => (i === 0 ? [json] : [COMMA, json]));
  return { tag, packed: await joined(compressedChunks(rows, 'br')) };
}

const [OPEN, COMMA, CLOSE] = [Buffer.from('['), Buffer.from(','), Buffer.from(']')];

/** Yields the rows of all series as one list, with every BulkDataURI below the base. */
async function* rebased(series: readonly Buffer[], base: string): AsyncGenerator<Uint8Array> {
  yield OPEN;
  for (const [i, packed] of series.entries()) {
    if (i > 0) yield COMMA;
    yield* withBase(decompressedChunks(packed), base);
  }
  yield CLOSE;
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}
