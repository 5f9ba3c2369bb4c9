import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import { SingleFlight } from '../../../schema/concurrency/single-flight.ts';
import {
  LARGEST_SHARED_CHARACTERS,
  type SharedCache,
  type SharedValue,
} from '../../../schema/outbound/shared-cache.ts';
import type { CountLookup } from '../../../schema/process/cache-lookups.ts';
import { hash } from 'node:crypto';
import { BUILD_ID } from '../dicom/build-id.ts';
import { withBase } from '../dicom/bulk-data-base.ts';
import {
  compressedChunks,
  decompressedChunks,
  joined,
  type Coding,
} from '../../../schema/http/content-coding.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import { selectAttributes, type SelectTask, type SelectedAttributes } from '../parsing/select-attributes.ts';
import { LoopTurns, turns } from '../../../schema/process/event-loop.ts';
import type { ParsingThreads } from '../threads/parsing-threads.ts';
import type { Target } from '../sources/source.ts';
import { grouped } from '../facts/study-rows.ts';
import { OTHERS_SECONDS } from './study-cache.ts';
import { compareText } from '../../../schema/process/texts.ts';

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
  selected(task: Omit<SelectTask, 'rows' | 'isPacked'>): Promise<SelectedAttributes[]>;
}

/** The rows of one series as JSON, without the brackets, compressed. */
interface Series {
  tag: string;
  packed: Buffer;
}

/** The row of one instance, which is not kept, and so not compressed. */
interface Instance {
  tag: string;
  row: Uint8Array;
}

/** Bytes of a row up to which its attributes are selected at once: the way to a thread takes longer. */
const SELECTED_AT_ONCE = 64 * 1024;

/** The series of an answer in order, by Series Instance UID. */
type SeriesByUid = readonly (readonly [uid: string, series: Series])[];

/** The same as JSON, in base64. */
type SharedSeries = readonly (readonly [uid: string, tag: string, packed: string])[];

/**
 * Keeps metadata by series, compressed. They are kept apart from authorization (IA-29): callers are authorized before
 * they ask. Equal questions at the same time are loaded once. Gateways that share a cache give each other what is small
 * enough, for no longer than their own.
 */
export class MetadataCache {
  readonly #series = boundedCache<Series>({
    size: MAX_SERIES_BYTES,
    sizeOf: ({ packed }) => packed.length + 1,
    seconds: METADATA_TTL,
  });
  /** Keys of the series of a study, in order. */
  readonly #studies = boundedCache<readonly string[]>({ entries: 10_000, seconds: METADATA_TTL });
  readonly #answers = boundedCache<Buffer>({
    size: MAX_ANSWER_BYTES,
    largest: MAX_KEPT_ANSWER,
    sizeOf: ({ length }) => length + 1,
  });
  readonly #loading = new SingleFlight<EncodedMetadata>();
  readonly #threads: ParsingThreads;
  readonly #shared: SharedCache | undefined;
  readonly #count: CountLookup | undefined;

  /** @param threads parse rows of which single attributes are asked */
  constructor(threads: ParsingThreads, shared?: SharedCache, count?: CountLookup) {
    this.#threads = threads;
    this.#shared = shared;
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
    if (instanceUid !== undefined) {
      const objects = await load(target);
      return this.#encoded([{ tag: tagOf(objects), row: Buffer.concat(rowsOf(objects)) }]);
    }
    const kept = this.kept(version, target);
    this.#count?.('metadata', kept !== undefined);
    if (kept) return kept;
    const question = `${version}\n${seriesUid ?? ''}`;
    return this.#loading.run(question, async () => {
      const { found, seconds } = await this.#sharedOrLoaded(question, () => packedSeries(target, load));
      const ttl = seconds * 1000;
      const keys = found.map(([uid]) => keyOf(version, uid));
      for (const [index, [, one]] of found.entries()) this.#series.set(keys[index]!, one, { ttl });
      if (seriesUid === undefined) this.#studies.set(version, keys, { ttl });
      return this.#encoded(found.map(([, one]) => one));
    });
  }

  /** Returns series from the cache that gateways share, else from the source. */
  async #sharedOrLoaded(
    question: string,
    load: () => Promise<SeriesByUid>,
  ): Promise<{ found: SeriesByUid; seconds: number }> {
    if (!this.#shared) return { found: await load(), seconds: METADATA_TTL };
    let own: SeriesByUid | undefined;
    const share = async (): Promise<SharedValue> => {
      own = await load();
      const value = toShared(own);
      return { value, seconds: value ? METADATA_TTL : 0 };
    };
    // Other builds may write metadata in another way.
    const key = `metadata\n${BUILD_ID}\n${question}`;
    const { value, seconds } = await this.#shared.once(key, share, OTHERS_SECONDS);
    const theirs = own ? undefined : fromShared(value);
    return theirs ? { found: theirs, seconds } : { found: own ?? (await load()), seconds: METADATA_TTL };
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

  #encoded(found: readonly (Series | Instance)[]): EncodedMetadata {
    const tag = digest(found.map((one) => one.tag).join('\n'));
    const answers = this.#answers;
    const threads = this.#threads;
    return {
      tag,
      async encoded(base, coding) {
        const key = [tag, base, coding].join('\n');
        const known = answers.get(key);
        if (known) return known;
        const bytes = await joined(compressedChunks(rebased(found, base), coding));
        answers.set(key, bytes);
        return bytes;
      },
      async selected(task) {
        const selecting = found.map((one) => {
          const [rows, isPacked] = 'row' in one ? [one.row, false] : [one.packed, true];
          if (!isPacked && rows.length <= SELECTED_AT_ONCE)
            return selectAttributes({ ...task, rows, isPacked });
          // A copy, because its buffer is transferred to the thread.
          return threads.run('selectAttributes', () => ({ ...task, rows: new Uint8Array(rows), isPacked }));
        });
        return (await Promise.all(selecting)).flat();
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
  return compareText(one, other);
}

/** Loads metadata by series. */
async function packedSeries(
  target: Target,
  load: (target: Target) => Promise<ObjectMetadata[]>,
): Promise<SeriesByUid> {
  const loaded = await load(target);
  const pause = turns();
  const objects = inOrder(loaded);
  await pause();
  const { seriesUid } = target;
  const groups =
    seriesUid === undefined ? [...grouped(objects, (one) => one.seriesUid)] : [[seriesUid, objects] as const];
  const loop = new LoopTurns();
  return Promise.all(
    groups.map(async ([uid, some]) => {
      await loop.next();
      return [uid, await pack(some)] as const;
    }),
  );
}

/** Returns null for series that are too large to be shared. */
function toShared(series: SeriesByUid): SharedSeries | null {
  const bytes = series.reduce((sum, [, { packed }]) => sum + packed.length, 0);
  if ((bytes * 4) / 3 > LARGEST_SHARED_CHARACTERS) return null;
  return series.map(([uid, { tag, packed }]) => [uid, tag, packed.toString('base64')]);
}

function fromShared(value: unknown): SeriesByUid | undefined {
  const series = value as SharedSeries | null;
  return series?.map(([uid, tag, packed]) => [uid, { tag, packed: Buffer.from(packed, 'base64') }]);
}

async function pack(objects: readonly ObjectMetadata[]): Promise<Series> {
  return { tag: tagOf(objects), packed: await joined(compressedChunks(rowsOf(objects), 'br')) };
}

const tagOf = (objects: readonly ObjectMetadata[]): string =>
  digest(objects.map(({ tag }) => tag).join('\n'));

const rowsOf = (objects: readonly ObjectMetadata[]): Uint8Array[] =>
  objects.flatMap(({ json }, i) => (i === 0 ? [json] : [COMMA, json]));

const [OPEN, COMMA, CLOSE] = [Buffer.from('['), Buffer.from(','), Buffer.from(']')];

/** Yields the rows of all series as one list, with every BulkDataURI below the base. */
async function* rebased(found: readonly (Series | Instance)[], base: string): AsyncGenerator<Uint8Array> {
  yield OPEN;
  for (const [i, one] of found.entries()) {
    if (i > 0) yield COMMA;
    yield* withBase('row' in one ? [one.row] : decompressedChunks(one.packed), base);
  }
  yield CLOSE;
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}
