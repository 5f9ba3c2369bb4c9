import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { MetadataCache, type EncodedMetadata } from './metadata-cache.ts';
import { encodeMetadata } from '../parsing/object-metadata.ts';
import { Budget } from '../dicom/part10/budget.ts';
import type { Target } from '../sources/source.ts';
import { rowOf } from '../test/metadata-rows.ts';
import { testParsing } from '../test/parsing.ts';

const BASE = 'https://images.example.org/t/dicomweb';
const { threads } = testParsing();

function row(series: [uid: string, number?: number], instance: [uid: string, number?: number]): DicomJson {
  const is = (value: number | undefined) =>
    value === undefined ? { vr: 'IS' } : { vr: 'IS', Value: [value] };
  return {
    [Tag.SeriesInstanceUID]: { vr: 'UI', Value: [series[0]] },
    [Tag.SeriesNumber]: is(series[1]),
    [Tag.SOPInstanceUID]: { vr: 'UI', Value: [instance[0]] },
    [Tag.InstanceNumber]: is(instance[1]),
    // A text that looks like an address, and must stay as it is.
    [Tag.StudyDescription]: { vr: 'LO', Value: ['"BulkDataURI":"/studies/1/series/2/instances/3/'] },
    [Tag.PixelData]: { vr: 'OW', BulkDataURI: 'bulkdata/7FE00010' },
  };
}

const ROWS = [
  row(['2'], ['2.1', 1]),
  row(['1', 7], ['1.1.9']),
  row(['1', 7], ['1.1.8']),
  row(['1', 7], ['1.1.2', 10]),
  row(['1', 7], ['1.1.3', 9]),
  row(['3', 1], ['3.1', 1]),
];
const ORDER = ['3.1', '1.1.3', '1.1.2', '1.1.8', '1.1.9', '2.1'];

function counted(rows: readonly DicomJson[] = ROWS) {
  const asked: Target[] = [];
  const load = async (target: Target) => {
    asked.push(target);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return rows
      .filter((one) => !target.seriesUid || text(one, Tag.SeriesInstanceUID) === target.seriesUid)
      .map((one) => encodeMetadata(one, target, new Budget()));
  };
  return { asked, load };
}
const decoded = async (metadata: EncodedMetadata, base = '') =>
  JSON.parse(String(await metadata.encoded(base, 'identity'))) as DicomJson[];
const rowsOf = async (metadata: EncodedMetadata) =>
  (await decoded(metadata)).map((row) => rowOf({ json: Buffer.from(JSON.stringify(row)) }));
const uids = (rows: readonly DicomJson[]) => rows.map((one) => text(one, Tag.SOPInstanceUID));

describe('DW-6 metadata kept by series', () => {
  it('come in the order of series and instance numbers, those without a number last', async () => {
    const { load } = counted();
    const metadata = await new MetadataCache(threads).of('v', { studyUid: '1' }, load);
    expect(uids(await decoded(metadata))).toEqual(ORDER);
  });

  it('come as the source gave them, with addresses below a base', async () => {
    const { load } = counted();
    const metadata = await new MetadataCache(threads).of('v', { studyUid: '1' }, load);
    expect(new Set(await rowsOf(metadata))).toEqual(new Set(ROWS));
    const identity = await decoded(metadata, BASE);
    expect(identity[0]![Tag.PixelData]!.BulkDataURI).toBe(
      `${BASE}/studies/1/series/3/instances/3.1/bulkdata/7FE00010`,
    );
    expect(identity[0]![Tag.StudyDescription]).toEqual(ROWS[0]![Tag.StudyDescription]);
    expect(JSON.parse(String(brotliDecompressSync(await metadata.encoded(BASE, 'br'))))).toEqual(identity);
    expect(JSON.parse(String(gunzipSync(await metadata.encoded(BASE, 'gzip'))))).toEqual(identity);
    const elsewhere = String(await metadata.encoded('https://other.example', 'identity'));
    expect(elsewhere).not.toContain(BASE);
  });

  it('are loaded once for many requests, whole or by series', async () => {
    const cache = new MetadataCache(threads);
    const { asked, load } = counted();
    const many = await Promise.all(Array.from({ length: 20 }, () => cache.of('v', { studyUid: '1' }, load)));
    await cache.of('v', { studyUid: '1' }, load);
    const series = await cache.of('v', { studyUid: '1', seriesUid: '1' }, load);
    expect(uids(await decoded(series))).toEqual(ORDER.slice(1, 5));
    expect(asked).toHaveLength(1);
    expect(new Set(many.map(({ tag }) => tag)).size).toBe(1);
    expect(series.tag).not.toBe(many[0]!.tag);
    // The compressed bytes are also made once.
    expect(await many[0]!.encoded(BASE, 'br')).toBe(await many[1]!.encoded(BASE, 'br'));
  });

  it('are loaded again when the study has other instances, or after invalidation', async () => {
    const cache = new MetadataCache(threads);
    const { asked, load } = counted();
    await cache.of('tenant\nstudy\n6', { studyUid: '1' }, load);
    await cache.of('tenant\nstudy\n7', { studyUid: '1' }, load);
    expect(asked).toHaveLength(2);
    cache.invalidate('other');
    await cache.of('tenant\nstudy\n7', { studyUid: '1' }, load);
    expect(asked).toHaveLength(2);
    cache.invalidate('tenant');
    await cache.of('tenant\nstudy\n7', { studyUid: '1' }, load);
    expect(asked).toHaveLength(3);
  });

  it('are loaded again after a failure', async () => {
    const cache = new MetadataCache(threads);
    const failing = () => Promise.reject(new Error('no'));
    await expect(cache.of('v', { studyUid: '1' }, failing)).rejects.toThrow('no');
    const { load } = counted();
    expect(uids(await decoded(await cache.of('v', { studyUid: '1' }, load)))).toEqual(ORDER);
  });

  it('have every address below the base, also where a chunk ends within it', async () => {
    const many = Array.from({ length: 40_000 }, (_, i) => row(['1'], [`1.${i}`, i]));
    const { load } = counted(many);
    const metadata = await new MetadataCache(threads).of('v', { studyUid: '1' }, load);
    const found = await decoded(metadata, BASE);
    const addresses = found.map((one) => one[Tag.PixelData]!.BulkDataURI);
    const below = (uid: string) => `${BASE}/studies/1/series/1/instances/${uid}/bulkdata/7FE00010`;
    expect(addresses).toEqual(many.map((_, i) => below(`1.${i}`)));
  });

  it.each([
    ['a study', (_uid: string): Target => ({ studyUid: '1' })],
    ['one instance', (uid: string): Target => ({ studyUid: '1', seriesUid: '1', instanceUid: uid })],
  ])('of %s give single attributes by keyword, unless an object has too many', async (_what, targetOf) => {
    const large = row(['1', 7], ['1.1.7']);
    large['00204000'] = { vr: 'LT', Value: ['x'.repeat(2_000_000)] };
    const load = async (target: Target) =>
      [...ROWS, large]
        .filter(
          (one) => target.instanceUid === undefined || text(one, Tag.SOPInstanceUID) === target.instanceUid,
        )
        .map((one) => encodeMetadata(one, { studyUid: '1' }, new Budget()));
    const cache = new MetadataCache(threads);
    const of = async (tags: string[] | undefined, uid: string) => {
      const metadata = await cache.of('v', targetOf(uid), load);
      const selections = new Map([[uid, [tags]]]);
      const [found] = await metadata.selected({ base: BASE, selections, maxBytes: 2 ** 22 });
      const [values] = JSON.parse(Buffer.from(found!.json!).toString()) as (DicomJson | null)[];
      return values;
    };
    expect(await of([Tag.PixelData, Tag.SeriesNumber], '3.1')).toEqual({
      PixelData: { vr: 'OW', BulkDataURI: `${BASE}/studies/1/series/3/instances/3.1/bulkdata/7FE00010` },
      SeriesNumber: { vr: 'IS', Value: [1] },
    });
    expect(Object.keys((await of(undefined, '1.1.2'))!)).toHaveLength(Object.keys(ROWS[0]!).length);
    expect(await of(undefined, '1.1.7')).toBeNull();
    expect(await of([Tag.SeriesNumber], '1.1.7')).toEqual({ SeriesNumber: { vr: 'IS', Value: [7] } });
  });

  it('have the same tag for the same content', async () => {
    const { load } = counted();
    const { load: reversed } = counted(ROWS.toReversed());
    const { load: other } = counted(ROWS.slice(1));
    const tags = await Promise.all(
      [load, reversed, other].map(
        async (one) => (await new MetadataCache(threads).of('v', { studyUid: '1' }, one)).tag,
      ),
    );
    expect(tags[1]).toBe(tags[0]);
    expect(tags[2]).not.toBe(tags[0]);
  });
});
