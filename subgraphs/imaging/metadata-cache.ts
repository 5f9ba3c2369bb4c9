import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { number, Tag, text, type DicomJson } from '../../schema/dicom.ts';
import { compressed, decompressed, type Coding } from './coding.ts';
import { absoluteBulkData } from './dicomweb-urls.ts';
import type { Target } from './sources/source.ts';
import { grouped } from './study-rows.ts';

/** Seconds after which metadata are asked for again although the study has as many instances as before. */
const METADATA_TTL = 300;
/** Bytes that are kept: by series, compressed, and as they were answered. */
const MAX_SERIES_BYTES = 64 * 1024 * 1024;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Of one answer; what is larger, of those who take nothing compressed, is made anew. */
const MAX_KEPT_ANSWER = 8 * 1024 * 1024;

/** The metadata of a study, series or instance, in the order of series and instance numbers (DW-6). */
export interface EncodedMetadata {
  /** The same for the same content; says nothing of where its bulk data are. */
  readonly tag: string;
  /** Fresh rows; BulkDataURI relative to the instance's URL. */
  rows(): Promise<DicomJson[]>;
  /** DICOM JSON with every BulkDataURI below this base. */
  encoded(base: string, coding: Coding): Promise<Buffer>;
}

/** The rows of one series as JSON, without the brackets. */
interface Series {
  tag: string;
  packed: Buffer;
}

/**
 * Metadata by series, compressed, apart from authorization (IA-29): whoever asks for them has been judged before. Equal
 * questions at the same time are one question.
 */
export class MetadataCache {
  private readonly series = new LRUCache<string, Series>({
    maxSize: MAX_SERIES_BYTES,
    sizeCalculation: ({ packed }) => packed.length + 1,
    ttl: METADATA_TTL * 1000,
  });
  /** Keys of the series of a study, in order. */
  private readonly studies = new LRUCache<string, readonly string[]>({
    max: 10_000,
    ttl: METADATA_TTL * 1000,
  });
  private readonly answers = new LRUCache<string, Buffer>({
    maxSize: MAX_ANSWER_BYTES,
    maxEntrySize: MAX_KEPT_ANSWER,
    sizeCalculation: ({ length }) => length + 1,
  });
  private readonly underWay = new Map<string, Promise<unknown>>();

  /**
   * @param version names tenant, source and study as it is now: another once the study has other instances
   * @param load rows of the target from its source
   */
  async of(
    version: string,
    target: Target,
    load: (target: Target) => Promise<DicomJson[]>,
  ): Promise<EncodedMetadata> {
    const { seriesUid, instanceUid } = target;
    // One of many: asking for it is cheaper than finding it among them.
    if (instanceUid !== undefined) return this.encoded([await pack(await load(target), target)]);
    const key = (uid: string) => `${version}\n${uid}`;
    const wanted = seriesUid === undefined ? this.studies.get(version) : [key(seriesUid)];
    const kept = wanted?.map((one) => this.series.get(one));
    const complete = kept?.every((one) => one !== undefined) ? kept : undefined;
    if (complete) return this.encoded(complete);
    return this.once(`${version}\n${seriesUid ?? ''}`, async () => {
      const rows = inOrder(await load(target));
      const bySeries = () => [...grouped(rows, (row) => text(row, Tag.SeriesInstanceUID))];
      const groups = seriesUid === undefined ? bySeries() : [[seriesUid, rows] as const];
      const packed = await Promise.all(groups.map(([, rows]) => pack(rows, target)));
      const keys = groups.map(([uid]) => key(uid));
      for (const [index, one] of packed.entries()) this.series.set(keys[index]!, one);
      if (seriesUid === undefined) this.studies.set(version, keys);
      return this.encoded(packed);
    });
  }

  /** Forgets what a tenant's sources said, or everything. */
  invalidate(tenantKey?: string): void {
    for (const cache of [this.series, this.studies]) {
      for (const key of cache.keys()) {
        if (tenantKey === undefined || key.startsWith(`${tenantKey}\n`)) cache.delete(key);
      }
    }
  }

  private encoded(series: readonly Series[]): EncodedMetadata {
    const tag = digest(series.map((one) => one.tag).join('\n'));
    const answers = this.answers;
    return {
      tag,
      rows: async () =>
        JSON.parse((await textOf(series)).replace(BELOW_INSTANCE, '"BulkDataURI":"')) as DicomJson[],
      async encoded(base, coding) {
        const key = [tag, base, coding].join('\n');
        const known = answers.get(key);
        if (known) return known;
        const text = (await textOf(series)).replaceAll(ROOTED, () => `"BulkDataURI":"${base}/studies/`);
        const bytes = await compressed(Buffer.from(text), coding);
        answers.set(key, bytes);
        return bytes;
      },
    };
  }

  private async once<T>(key: string, work: () => Promise<T>): Promise<T> {
    const waiting = this.underWay.get(key) as Promise<T> | undefined;
    if (waiting) return waiting;
    const working = work().finally(() => this.underWay.delete(key));
    this.underWay.set(key, working);
    return working;
  }
}

/** As no other text can stand in JSON: quotes within a value are escaped. */
const ROOTED = '"BulkDataURI":"/studies/';
const BELOW_INSTANCE = /"BulkDataURI":"\/studies\/[^/"]*\/series\/[^/"]*\/instances\/[^/"]*\//g;

/** Series and instances by their numbers, then UIDs. */
function inOrder(rows: readonly DicomJson[]): DicomJson[] {
  return rows.toSorted(
    (a, b) =>
      byValue(a, b, Tag.SeriesNumber, Tag.SeriesInstanceUID) ||
      byValue(a, b, Tag.InstanceNumber, Tag.SOPInstanceUID),
  );
}

/** By number, those without one last, then by UID. */
function byValue(a: DicomJson, b: DicomJson, numberTag: string, uidTag: string): number {
  const [first, second] = [a, b].map((row) => number(row, numberTag) ?? Number.MAX_VALUE);
  if (first !== second) return first! - second!;
  const [one = '', other = ''] = [text(a, uidTag), text(b, uidTag)];
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Every BulkDataURI becomes a path from the base of the service: `/studies/…/bulkdata/…`. */
async function pack(rows: readonly DicomJson[], target: Target): Promise<Series> {
  const json = JSON.stringify(rows.map((row) => absoluteBulkData(row, target, ''))).slice(1, -1);
  return { tag: digest(json), packed: await compressed(Buffer.from(json), 'br') };
}

async function textOf(series: readonly Series[]): Promise<string> {
  const texts = await Promise.all(series.map(({ packed }) => decompressed(packed)));
  return `[${texts.join(',')}]`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
