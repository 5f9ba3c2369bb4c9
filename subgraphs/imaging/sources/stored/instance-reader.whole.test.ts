import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../../gateway/test/setup/shared-data.ts';
import { TransferSyntax, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { inMemory } from '../../multipart/frame-bytes.ts';
import { openFolder, type FolderSource } from '../folder.ts';
import type { InstanceTarget } from '../source.ts';
import { InstanceReader } from './instance-reader.ts';
import { metadataRows, rowOf } from '../../test/metadata-rows.ts';
import { testParsing } from '../../test/parsing.ts';

const parsing = testParsing();
const reader = new InstanceReader(parsing);
const scratch = mkdtempSync(join(tmpdir(), 'instance-reader-test-'));
const quiet = () => {};
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

async function open(path: string, name: string): Promise<FolderSource> {
  const source = await openFolder({
    path,
    indexFile: join(scratch, `${name}.sqlite`),
    log,
    watch: false,
    parsing,
  });
  await source.indexed;
  return source;
}

function shared(file: string) {
  const row = sharedDicomFiles().find((row) => row.file === file)!;
  const target = { studyUid: row.studyUid!, seriesUid: row.seriesUid!, instanceUid: row.sopInstanceUid };
  return { ...row, path: sharedDataPath('dicom', file), target };
}

async function frames(source: FolderSource, target: InstanceTarget, numbers: number[]): Promise<Buffer[]> {
  const result: Buffer[] = [];
  for await (const frame of (await source.frames(target, numbers)).frames)
    result.push(Buffer.from(await inMemory(frame)));
  return result;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Returns the items of the pixel data from DCMTK, which writes each to a file, the Basic Offset Table first. */
function fragments(path: string): Buffer[] {
  const directory = mkdtempSync(join(scratch, 'fragments-'));
  execFileSync('dcmdump', ['-q', '+W', directory, '+P', '7fe0,0010', path]);
  const order = (name: string): number => Number(/\.(\d+)\.raw$/.exec(name)![1]);
  const names = readdirSync(directory).sort((a, b) => order(a) - order(b));
  return names.map((name) => readFileSync(join(directory, name)));
}

/** Returns native pixel data from DCMTK, converted to explicit little endian. */
function native(path: string): Buffer {
  const directory = mkdtempSync(join(scratch, 'native-'));
  const copy = join(directory, 'copy.dcm');
  execFileSync('dcmconv', ['-q', '+te', path, copy]);
  execFileSync('dcmdump', ['-q', '+W', directory, '+P', '7fe0,0010', copy]);
  return readFileSync(join(directory, 'copy.dcm.0.raw'));
}

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describeWithSharedData('frames (DW-7)', () => {
  let source: FolderSource;
  beforeAll(async () => {
    source = await open(sharedDataPath('dicom'), 'all');
  });
  afterAll(() => source.close());

  test.each([
    ['a multi-frame MR', 'mr-multiframe/explicit_little.dcm', 16],
    ['16 bits, several frames', 'nm/NM-MONO2-16-13x-heart.dcm', 13],
    ['colour by plane', 'us-still/color-pl.dcm', 1],
    ['tiles of a slide', 'sm/sm_image.dcm', 25],
    ['implicit VR', 'rt/ct.0.dcm', 1],
    ['32 bits', 'rt/rtdose.dcm', 15],
    ['big endian', 'ts-matrix/MR_small_bigendian.dcm', 1],
    ['deflated', 'ts-matrix/image_dfl.dcm', 1],
  ])('gives native frames of %s: %s with %d frames', async (_, file, count) => {
    const row = shared(file);
    expect(row.frames).toBe(count);
    const pixels = native(row.path);
    const { mediaType, transferSyntax } = await source.frames(row.target, [1]);
    expect([mediaType, transferSyntax]).toEqual(['application/octet-stream', '1.2.840.10008.1.2.1']);
    const all = await frames(source, row.target, range(count));
    const size = all[0]!.length;
    all.forEach((frame, i) => expect(frame.equals(pixels.subarray(i * size, (i + 1) * size))).toBe(true));
    expect(pixels.length - size * count).toBeLessThan(2);
  });

  test('repacks frames of one bit a pixel that start within a byte', async () => {
    const row = shared('seg/liver_nonbyte_aligned.dcm');
    const pixels = native(row.path);
    const bits = row.rows! * row.columns!;
    expect(bits % 8).not.toBe(0);
    const all = await frames(source, row.target, range(row.frames));
    const bit = (bytes: Buffer, i: number): number => (bytes[i >> 3]! >> (i & 7)) & 1;
    all.forEach((frame, n) => {
      expect(frame.length).toBe(Math.ceil(bits / 8));
      let wrong = 0;
      for (let i = 0; i < bits; i++) if (bit(frame, i) !== bit(pixels, n * bits + i)) wrong++;
      expect([n, wrong]).toEqual([n, 0]);
      expect(bit(frame, bits)).toBe(0);
    });
  });

  test.each([
    ['xa-cine/jpeg_baseline_8bit.dcm', 'image/jpeg'],
    ['us-cine/US-PAL-8-10x-echo.dcm', 'image/dicom-rle'],
    ['us-cine/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm', 'image/jpeg'],
    ['mr-multiframe/emri_small_jpeg_2k_lossless.dcm', 'image/jp2'],
    ['mr-t1-forrest/N2D_0001.dcm', 'image/jls'],
    ['ts-matrix/HTJ2K_08_RGB.dcm', 'image/jphc'],
    ['seg/liver_nonbyte_aligned_rle.dcm', 'image/dicom-rle'],
  ])('gives encapsulated frames of %s with all fragments in order', async (file, mediaType) => {
    const row = shared(file);
    const [, ...expected] = fragments(row.path);
    expect((await source.frames(row.target, [1])).mediaType).toBe(mediaType);
    const all = await frames(source, row.target, range(row.frames));
    expect(sha256(Buffer.concat(all))).toBe(sha256(Buffer.concat(expected)));
    if (mediaType === 'image/jpeg') {
      for (const frame of all) expect(frame.subarray(0, 2).toString('hex')).toBe('ffd8');
    }
  });

  test('gives frames in the requested order, also repeated ones', async () => {
    const row = shared('xa-cine/jpeg_baseline_8bit.dcm');
    const [first, , third] = await frames(source, row.target, [1, 2, 3]);
    expect(await frames(source, row.target, [3, 1, 3])).toEqual([third, first, third]);
  });

  test.each([
    ['the frame after the last', 'nm/NM-MONO2-16-13x-heart.dcm', [14]],
    ['one of several frames', 'nm/NM-MONO2-16-13x-heart.dcm', [1, 99]],
    ['frame 0', 'ct-head-ge/01.dcm', [0]],
    ['a fraction', 'ct-head-ge/01.dcm', [1.5]],
    ['a frame of a report', 'sr/sr_document.dcm', [1]],
    ['a frame of a waveform', 'ecg/waveform_ecg.dcm', [1]],
    ['a frame of a plan', 'rt/rtplan.dcm', [1]],
  ])('does not find %s', async (_, file, numbers) => {
    await expect(source.frames(shared(file).target, numbers)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describeWithSharedData('bulk data (DW-6, DW-10)', () => {
  let source: FolderSource;
  beforeAll(async () => {
    source = await open(sharedDataPath('dicom'), 'bulk');
  });
  afterAll(() => source.close());

  const uris = (dataset: DicomJson): string[] =>
    Object.values(dataset).flatMap(({ vr, Value, BulkDataURI }) =>
      vr === 'SQ' ? ((Value ?? []) as DicomJson[]).flatMap(uris) : (BulkDataURI ?? []),
    );

  test('gives the value of every BulkDataURI of every object, with the announced length', async () => {
    const rows = sharedDicomFiles().filter(({ studyUid }) => studyUid);
    const visited = new Set<string>();
    for (const { file, studyUid, seriesUid, sopInstanceUid } of rows) {
      const directory = file.split('/')[0]!;
      if (visited.has(directory) && directory.startsWith('ct')) continue;
      visited.add(directory);
      const target = { studyUid: studyUid!, seriesUid: seriesUid!, instanceUid: sopInstanceUid };
      const [metadata] = await metadataRows(source, target);
      for (const uri of uris(metadata!)) {
        const bulk = await source.bulkdata(target, uri);
        const bytes = await buffer(bulk.open());
        expect([file, uri, bytes.length]).toEqual([file, uri, bulk.size]);
        expect(bytes.length).toBeGreaterThan(0);
      }
    }
  });

  test('gives native pixels, whole and by range', async () => {
    const row = shared('ct-head-ge/01.dcm');
    const pixels = native(row.path);
    const bulk = await source.bulkdata(row.target, 'bulkdata/7FE00010');
    expect(bulk.size).toBe(pixels.length);
    expect((await buffer(bulk.open())).equals(pixels)).toBe(true);
    const part = await buffer(bulk.open({ start: 1000, end: 400_999 }));
    expect(part.equals(pixels.subarray(1000, 401_000))).toBe(true);
  });

  test.each(['ts-matrix/MR_small_bigendian.dcm', 'ts-matrix/image_dfl.dcm'])(
    'gives inflated words in little endian of %s',
    async (file) => {
      const row = shared(file);
      const bulk = await source.bulkdata(row.target, 'bulkdata/7FE00010');
      expect((await buffer(bulk.open())).equals(native(row.path))).toBe(true);
      expect(
        (await buffer(bulk.open({ start: 10, end: 99 }))).equals(native(row.path).subarray(10, 100)),
      ).toBe(true);
    },
  );

  test('gives encapsulated pixels as their fragments, also by range', async () => {
    const row = shared('us-cine/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm');
    const whole = Buffer.concat(fragments(row.path).slice(1));
    const bulk = await source.bulkdata(row.target, 'bulkdata/7FE00010');
    expect((await buffer(bulk.open())).equals(whole)).toBe(true);
    const part = await buffer(bulk.open({ start: 8000, end: 20_000 }));
    expect(part.equals(whole.subarray(8000, 20_001))).toBe(true);
  });

  test.each([
    'bulkdata/00420011',
    'bulkdata/00400275/0/00400007',
    'bulkdata/',
    '../../etc/passwd',
    'bulkdata/7FE00010/0',
  ])('does not find %s', async (path) => {
    const { target } = shared('ct-head-ge/01.dcm');
    await expect(source.bulkdata(target, path)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describeWithSharedData('retrieval in another transfer syntax (DW-5)', () => {
  let source: FolderSource;
  beforeAll(async () => {
    source = await open(sharedDataPath('dicom'), 'transcode');
  });
  afterAll(() => source.close());

  test.each([
    ['pt/sample.dcm', '1.2.840.10008.1.2', 'as stored'],
    ['pt/sample.dcm', '1.2.840.10008.1.2.1', 'rewritten'],
    ['ts-matrix/MR_small_bigendian.dcm', '1.2.840.10008.1.2.1', 'rewritten'],
    ['ts-matrix/image_dfl.dcm', '1.2.840.10008.1.2.1', 'rewritten'],
    ['ct-head-ge/01.dcm', '1.2.840.10008.1.2.1', 'as stored'],
    ['xa-cine/jpeg_baseline_8bit.dcm', '1.2.840.10008.1.2.4.50', 'as stored'],
    ['ct-head-ge/01.dcm', '1.2.840.10008.1.2.4.50', 'not_acceptable'],
    ['ct-head-ge/01.dcm', '1.2.3', 'not_acceptable'],
    ['ct-head-ge/01.dcm', 'constructor', 'not_acceptable'],
  ])('%s as %s: %s', async (file, transferSyntax, expected) => {
    const row = shared(file);
    const retrieve = async () => {
      for await (const { stream, transferSyntax: actual, size } of source.retrieve(
        row.target,
        transferSyntax,
      )) {
        const bytes = await buffer(stream);
        expect(actual).toBe(transferSyntax);
        expect(bytes.length).toBe(size ?? bytes.length);
        const copy = join(scratch, 'retrieved.dcm');
        writeFileSync(copy, bytes);
        if (!/\.4\./.test(transferSyntax)) expect(native(copy).equals(native(row.path))).toBe(true);
        return sha256(bytes) === row.sha256 ? 'as stored' : 'rewritten';
      }
      return 'nothing';
    };
    const outcome = await retrieve().catch((error: { code?: string }) => error.code ?? String(error));
    expect(outcome).toBe(expected);
  });
});

/** Generated objects with the same three encapsulated frames, in different fragments and with different tables. */
describe('offset tables (DW-7, PS3.5 §A.4)', () => {
  const jpeg = (seed: number): Buffer =>
    Buffer.concat([Buffer.from('ffd8', 'hex'), Buffer.alloc(96, seed), Buffer.from('ffd9', 'hex')]);
  const pictures = [jpeg(1), jpeg(2), jpeg(3)];
  const split = (picture: Buffer): Buffer[] => [picture.subarray(0, 40), picture.subarray(40)];
  const halves = pictures.flatMap(split);
  const endless = pictures.map((picture) => Buffer.concat([picture.subarray(0, -2), Buffer.alloc(2, 7)]));
  const uint32 = (...values: number[]): Buffer => {
    const bytes = Buffer.alloc(4 * values.length);
    values.forEach((value, i) => bytes.writeUInt32LE(value, 4 * i));
    return bytes;
  };
  const uint64 = (...values: number[]): Buffer => Buffer.concat(values.map((value) => uint32(value, 0)));

  test.each<[string, Buffer, Buffer[], Buffer | undefined]>([
    ['no table, a fragment a frame', uint32(), pictures, undefined],
    ['basic offset table, a fragment a frame', uint32(0, 108, 216), pictures, undefined],
    ['basic offset table, two fragments a frame', uint32(0, 116, 232), halves, undefined],
    ['no table, two fragments a frame', uint32(), halves, undefined],
    ['no table, two fragments a frame, no end marks', uint32(), endless.flatMap(split), undefined],
    ['extended offset table', uint32(), pictures, uint64(0, 108, 216)],
    ['a table that points beside the fragments', uint32(0, 100, 200), pictures, undefined],
    ['a table of too few', uint32(0), halves, undefined],
  ])('%s', async (name, table, items, extended) => {
    const directory = join(scratch, name);
    mkdirSync(directory);
    writeFileSync(join(directory, 'a.dcm'), encapsulated(3, table, items, extended));
    const source = await open(directory, name);
    expect(await frames(source, TARGET, [1, 2, 3])).toEqual(/no end/.test(name) ? endless : pictures);
    await source.close();
  });

  test('fails for frames that cannot be separated', async () => {
    const directory = join(scratch, 'unclear');
    mkdirSync(directory);
    writeFileSync(
      join(directory, 'a.dcm'),
      encapsulated(3, uint32(), [Buffer.alloc(20), Buffer.alloc(20)], undefined),
    );
    const source = await open(directory, 'unclear');
    await expect(source.frames(TARGET, [1])).rejects.toMatchObject({ code: 'bad_gateway' });
    await source.close();
  });
});

const TARGET = { studyUid: '1.2.3', seriesUid: '1.2.3.4', instanceUid: '1.2.3.4.5' };

function encapsulated(count: number, table: Buffer, items: Buffer[], extended: Buffer | undefined): Buffer {
  const element = (tag: string, vr: string, value: Buffer | string): Buffer => {
    const bytes = Buffer.from(value as string, 'latin1');
    const padded = bytes.length % 2 ? Buffer.concat([bytes, Buffer.from(vr === 'UI' ? '\0' : ' ')]) : bytes;
    const head = Buffer.alloc(vr === 'OV' ? 12 : 8);
    head.writeUInt16LE(parseInt(tag.slice(0, 4), 16), 0);
    head.writeUInt16LE(parseInt(tag.slice(4), 16), 2);
    head.write(vr, 4, 'latin1');
    if (vr === 'OV') head.writeUInt32LE(padded.length, 8);
    else head.writeUInt16LE(padded.length, 6);
    return Buffer.concat([head, padded]);
  };
  const item = (bytes: Buffer): Buffer => {
    const head = Buffer.from('feff00e000000000', 'hex');
    head.writeUInt32LE(bytes.length, 4);
    return Buffer.concat([head, bytes]);
  };
  const us = (value: number): Buffer => Buffer.from([value & 0xff, value >> 8]);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    element('00020010', 'UI', '1.2.840.10008.1.2.4.50'),
    element('00080016', 'UI', '1.2.840.10008.5.1.4.1.1.7'),
    element('00080018', 'UI', TARGET.instanceUid),
    element('0020000D', 'UI', TARGET.studyUid),
    element('0020000E', 'UI', TARGET.seriesUid),
    element('00280008', 'IS', `${count}`),
    element('00280010', 'US', us(8)),
    element('00280011', 'US', us(8)),
    element('00280100', 'US', us(8)),
    ...(extended ? [element('7FE00001', 'OV', extended)] : []),
    Buffer.from('e07f10004f420000ffffffff', 'hex'),
    item(table),
    ...items.map(item),
    Buffer.from('feffdde000000000', 'hex'),
  ]);
}

describe('a deflated file', () => {
  const transferSyntax = TransferSyntax.DeflatedExplicitVRLittleEndian;

  /** Writes a file with only the transfer syntax in group 0002, and zeros as pixels. */
  function indexed(name: string, pixels: number, damage = (deflated: Buffer): Buffer => deflated) {
    const element = (hex: string, value: Buffer) => Buffer.concat([Buffer.from(hex, 'hex'), value]);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(pixels);
    const dataset = Buffer.concat([
      element('080018005549' + '0800', Buffer.from('1.2.3.4\0')),
      element('e07f1000' + '4f42' + '0000', length),
      Buffer.alloc(pixels),
    ]);
    const meta = element('0200100055491600', Buffer.from(transferSyntax));
    const path = join(scratch, name);
    const preamble = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]);
    writeFileSync(path, Buffer.concat([preamble, meta, damage(deflateRawSync(dataset))]));
    const { size, mtimeMs: mtime } = statSync(path);
    return { path, size, mtime, transferSyntax, sopInstanceUid: '1.2.3.4' };
  }

  test('DW-17 is inflated while other requests are served', async () => {
    const file = indexed('large.dcm', 100_000_000);
    let turns = 0;
    const others = setInterval(() => turns++, 1);
    const read = await Promise.all(range(4).map(() => reader.metadata(file.path, file)));
    clearInterval(others);
    for (const metadata of read)
      expect(rowOf(metadata)['00080018']).toEqual({ vr: 'UI', Value: ['1.2.3.4'] });
    expect(turns).toBeGreaterThan(50);
  });

  test.each([
    ['with too many bytes', indexed('bomb.dcm', 300_000_000)],
    ['without a deflate stream', indexed('none.dcm', 10, () => Buffer.from('no deflate stream at all'))],
    ['with a stream cut short', indexed('short.dcm', 10_000, (deflated) => deflated.subarray(0, 20))],
  ])('%s is refused with 502, and the next one is read', async (_, file) => {
    await expect(reader.metadata(file.path, file)).rejects.toMatchObject({ code: 'bad_gateway' });
    await expect(reader.frameTable(file.path, file)).rejects.toMatchObject({ code: 'bad_gateway' });
    const good = indexed('good.dcm', 10);
    expect(rowOf(await reader.metadata(good.path, good))).toHaveProperty('00080018');
  });
});
