import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startOrthanc } from '../../../gateway/test/setup/orthanc.ts';
import {
  describeWithSharedData,
  sharedDataPath,
  sharedDicomFiles,
  variedDicomFiles,
  type SharedDicomFile,
} from '../../../gateway/test/setup/shared-data.ts';
import { isInTurn, longTest } from '../../../gateway/test/setup/usual-run.ts';
import { Tag, text, texts, TransferSyntax, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault, type FaultCode } from '../../../schema/fault/fault.ts';
import type { ImagesConfig } from '../../../schema/tenant/tenant.ts';
import { inMemory } from '../multipart/frame-bytes.ts';
import { asSource } from './as-source.ts';
import { PixelPool } from '../threads/pool.ts';
import { openDimseOrthanc, type DimseOrthanc } from './dimse.ts';
import { orthancImages, testSubgraph, testTenant } from './subgraph.ts';
import { dicomWebSource } from '../sources/dicom-web.ts';
import { openFolder } from '../sources/folder.ts';
import type { ImagingSource, SourceQuery, StoredInstance } from '../sources/source.ts';
import { metadataRows } from './metadata-rows.ts';
import { openedSource } from './opened-source.ts';
import { testParsing } from './parsing.ts';
import type { Parsing } from '../threads/parsing-threads.ts';

const varied = variedDicomFiles();
const files = varied.filter(({ studyUid, importsInOrthanc }) => studyUid && importsInOrthanc);
const run = promisify(execFile);
const clock = () => Date.now() / 1000;

interface Backend {
  source: ImagingSource;
  /** True if files are given byte for byte. DIMSE carries only data sets, which archives write again. */
  wholeFiles: boolean;
  /** Tells whether the archive can send these files of one study together (default: always). */
  canSend?(files: readonly SharedDicomFile[]): boolean;
  /** Removes the backend behind the source. */
  fail(): Promise<void>;
  stop(): Promise<void>;
}

/** Orthanc's DCMTK supports neither HTJ2K nor Deflated Image Frame, so that C-GET and C-MOVE of them fail. */
const UNSENDABLE = ['1.2.840.10008.1.2.8.1', '1.2.840.10008.1.2.4.201', '1.2.840.10008.1.2.4.203'];
const sendable = (files: readonly SharedDicomFile[]) =>
  files.every(({ transferSyntax }) => !UNSENDABLE.includes(transferSyntax));

let parsing: Parsing;
const backends = [
  ['dicom-web', openOrthanc],
  ['folder', openSharedFolder],
  ['several', openSeveral],
  ['dicom-dimse by C-GET', () => openDimse('c-get')],
  ['dicom-dimse by C-MOVE', () => openDimse('c-move')],
] as const satisfies [name: string, open: () => Promise<Backend>][];
type BackendName = (typeof backends)[number][0];

/** The archive that all protocols share. The tests of each end with a killed archive, so the next restarts it with an empty cache. */
let archive: DimseOrthanc | undefined;

async function openArchive(): Promise<DimseOrthanc> {
  if (archive) {
    await archive.orthanc.kill();
    await archive.orthanc.restart();
    archive.node.cache.clear();
  }
  return (archive ??= await openDimseOrthanc(files.map(({ file }) => sharedDataPath('dicom', file))));
}

async function openOrthanc() {
  const { orthanc } = await openArchive();
  const { images } = testTenant(orthancImages(orthanc));
  const source = dicomWebSource(images[0] as Extract<ImagesConfig, { type: 'dicom-web' }>, clock, parsing);
  return { source, wholeFiles: true, fail: () => orthanc.kill(), stop: () => Promise.resolve() };
}

async function openSharedFolder() {
  const directory = await mkdtemp(join(tmpdir(), 'contract-'));
  const path = join(directory, 'images');
  const leftOut = new Set(sharedDicomFiles().map(({ file }) => sharedDataPath('dicom', file)));
  for (const { file } of varied) leftOut.delete(sharedDataPath('dicom', file));
  await cp(sharedDataPath('dicom'), path, { recursive: true, filter: (file) => !leftOut.has(file) });
  await run('chmod', ['-R', 'u+w', path]);
  const source = await openFolder({
    path,
    indexFile: join(directory, 'index.sqlite'),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    parsing,
    watch: false,
  });
  await source.indexed;
  return {
    source,
    wholeFiles: true,
    fail: () => rm(path, { recursive: true }),
    stop: () => rm(directory, { recursive: true }),
  };
}

async function openDimse(retrieval: 'c-get' | 'c-move') {
  const { source, endpoint, node, orthanc } = await openArchive();
  return {
    source: source({ endpoint, retrieval }),
    wholeFiles: false,
    canSend: sendable,
    fail: () => (node.cache.clear(), orthanc.kill()),
    stop: () => Promise.resolve(),
  };
}

/** Opens a folder with every other study and an Orthanc with the rest as one source (DW-18). */
async function openSeveral(): Promise<Backend> {
  const studies = [...new Set(files.map(({ studyUid }) => studyUid))];
  const [inFolder, inOrthanc] = [0, 1].map((half) =>
    files.filter(({ studyUid }) => studies.indexOf(studyUid) % 2 === half),
  );
  const directory = await mkdtemp(join(tmpdir(), 'contract-'));
  for (const [index, { file }] of inFolder!.entries()) {
    await copyFile(sharedDataPath('dicom', file), join(directory, `${index}.dcm`));
  }
  const orthanc = await startOrthanc({ files: inOrthanc!.map(({ file }) => sharedDataPath('dicom', file)) });
  const served = await testSubgraph([], {});
  const source = asSource(served, (more) => [
    { type: 'folder', path: directory, lookup: 'studies-by-mrn', ...more },
    orthancImages(orthanc, more),
  ]);
  // The folder is indexed when it is asked first.
  await vi.waitFor(() => source.search(query('study')), 30_000);
  return {
    source: { ...source, close: () => served.close() },
    wholeFiles: true,
    async fail() {
      await orthanc.kill();
      for (const name of await readdir(directory)) await rm(join(directory, name));
    },
    async stop() {
      await orthanc.stop();
      await rm(directory, { recursive: true });
    },
  };
}

function query(level: SourceQuery['level'], rest: Partial<SourceQuery> = {}): SourceQuery {
  return { level, match: new Map(), includeField: [], ...rest };
}

function match(tag: string, ...values: string[]): Partial<SourceQuery> {
  return { match: new Map([[tag, values]]) };
}

function target({ studyUid, seriesUid, sopInstanceUid }: SharedDicomFile) {
  return { studyUid: studyUid!, seriesUid: seriesUid!, instanceUid: sopInstanceUid };
}

function distinct(values: Iterable<string | undefined>): number {
  return new Set(values).size;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function bulkDataUris(dataset: DicomJson): string[] {
  return Object.values(dataset).flatMap(({ BulkDataURI, vr, Value }) => [
    ...(BulkDataURI === undefined ? [] : [BulkDataURI]),
    ...(vr === 'SQ' ? (Value ?? []).flatMap((item) => bulkDataUris((item ?? {}) as DicomJson)) : []),
  ]);
}

/**
 * Defines the contract of every image source for some of the backends: one suite for all. A file of tests calls it once.
 */
export function contractOf(...names: BackendName[]): void {
  parsing = testParsing();
  afterAll(async () => {
    await archive?.stop();
    archive = undefined;
  });
  describeWithSharedData('every image source', () => contract(names));
}

function contract(names: readonly string[]): void {
  const ct = files.filter(({ file }) => file.startsWith('ct-head-ge/'));
  const first = ct[0]!;
  const other = files.find(({ studyUid }) => studyUid !== first.studyUid)!;
  // One of the character set samples describes pixels but has none.
  const withPixels = files.filter(({ rows, file }) => rows && !file.includes('chrKoreanMulti'));
  const htj2k = files.find(({ transferSyntax }) => transferSyntax === '1.2.840.10008.1.2.4.201')!;
  const withoutPixels = files.filter(({ rows }) => !rows);

  describe.each(backends.filter(([name]) => names.includes(name)))('%s', (name, open) => {
    // Searches, and what is read of objects that have arrived, are the same with C-MOVE as with C-GET.
    const either = name.endsWith('C-MOVE') ? longTest : it;
    const column = backends.findIndex(([other]) => other === name);
    let source: ImagingSource;
    let wholeFiles: boolean;
    let canSend: NonNullable<Backend['canSend']>;
    let fail: () => Promise<void>;
    let stop: () => Promise<void>;

    const pixels = new PixelPool();
    beforeAll(async () => {
      const backend: Backend = await open();
      ({ wholeFiles, canSend = () => true, fail, stop } = backend);
      // As for tenants, with transcoding.
      source = openedSource(backend.source, { pixels, parsing });
    });
    afterAll(async () => {
      await source?.close();
      await pixels.close();
      await stop?.();
    });

    either.each([
      ['study', (file: SharedDicomFile) => file.studyUid],
      ['series', (file: SharedDicomFile) => file.seriesUid],
      ['instance', (file: SharedDicomFile) => file.sopInstanceUid],
    ] as const)('DW-1 finds every %s with its patient and the levels above', async (level, uid) => {
      const rows = await source.search(query(level));
      expect(rows).toHaveLength(distinct(files.map(uid)));
      const tag = {
        study: Tag.StudyInstanceUID,
        series: Tag.SeriesInstanceUID,
        instance: Tag.SOPInstanceUID,
      };
      for (const row of rows) {
        const file = files.find((candidate) => uid(candidate) === text(row, tag[level]))!;
        expect(text(row, Tag.StudyInstanceUID)).toBe(file.studyUid);
        if (level !== 'study') expect(text(row, Tag.SeriesInstanceUID)).toBe(file.seriesUid);
        if (file.patientId) expect(text(row, Tag.PatientID)?.trim()).toBe(file.patientId.trim());
      }
    });

    either('counts series and instances', async () => {
      const [study] = await source.search(query('study', match(Tag.StudyInstanceUID, first.studyUid!)));
      const own = files.filter(({ studyUid }) => studyUid === first.studyUid);
      expect(Number(text(study!, Tag.NumberOfStudyRelatedInstances))).toBe(own.length);
      expect(Number(text(study!, Tag.NumberOfStudyRelatedSeries))).toBe(
        distinct(own.map(({ seriesUid }) => seriesUid)),
      );
      expect(texts(study!, Tag.ModalitiesInStudy)).toEqual(['CT']);
      const [series] = await source.search(query('series', { studyUid: first.studyUid! }));
      const inSeries = own.filter(({ seriesUid }) => seriesUid === text(series!, Tag.SeriesInstanceUID));
      expect(Number(text(series!, Tag.NumberOfSeriesRelatedInstances))).toBe(inSeries.length);
    });

    const id = first.patientId!;
    either.each([
      ['the same value', [{ value: id }], 1],
      ['another case', [{ value: 'scsarab' }], 0],
      ['a wildcard', [{ value: '*' }], 0],
      ['a part with a wildcard', [{ value: `${id.slice(0, 2)}*` }], 0],
      ['question marks', [{ value: '?'.repeat(id.length) }], 0],
      ['a list', [{ value: `${id},${other.patientId}` }], 0],
      ['a list with a backslash', [{ value: `${id}\\${other.patientId}` }], 0],
      ['an issuer that the object does not have', [{ value: id, issuer: 'elsewhere' }], 0],
      ['a value with ^', [{ value: 'Test^Pattern' }], 1],
      ['a value with special characters of a query', [{ value: 'Test+Pattern&limit=0#%' }], 0],
      ['two values', [{ value: id }, { value: 'SCSARAB' }], 2],
      ['no value', [], 0],
    ])('DW-21 compares PatientID exactly: %s', async (_name, patientIds, studies) => {
      for (const level of ['study', 'series', 'instance'] as const) {
        const rows = await source.search(query(level, { patientIds }));
        expect(distinct(rows.map((row) => text(row, Tag.StudyInstanceUID))), level).toBe(studies);
      }
    });

    either('restricts searches within a study', async () => {
      const scope = { studyUid: first.studyUid! };
      expect(await source.search(query('series', { ...scope, patientIds: [{ value: 'SCSARAB' }] }))).toEqual(
        [],
      );
      expect(await source.search(query('series', { ...scope, patientIds: [{ value: id }] }))).not.toEqual([]);
    });

    either('DW-2 gives pages, also when the restriction removes rows', async () => {
      const all = await source.search(query('instance', { patientIds: [{ value: id }] }));
      const uids = new Set<string | undefined>();
      for (let offset = 0; offset < all.length; offset += 10) {
        const page = await source.search(
          query('instance', { patientIds: [{ value: id }], limit: 10, offset }),
        );
        expect(page).toHaveLength(Math.min(10, all.length - offset));
        for (const row of page) uids.add(text(row, Tag.SOPInstanceUID));
      }
      expect(uids.size).toBe(all.length);
    });

    either.each<[string, SourceQuery['level'], Partial<SourceQuery>, (file: SharedDicomFile) => boolean]>([
      [
        'a UID list',
        'study',
        match(Tag.StudyInstanceUID, first.studyUid!, other.studyUid!),
        (file) => [first.studyUid, other.studyUid].includes(file.studyUid),
      ],
      ['a modality', 'study', match(Tag.ModalitiesInStudy, 'PT'), (file) => file.modality === 'PT'],
      [
        'modalities',
        'study',
        match(Tag.ModalitiesInStudy, 'PT', 'NM'),
        (file) => ['PT', 'NM'].includes(file.modality),
      ],
      ['a modality of series', 'series', match(Tag.Modality, 'CT'), (file) => file.modality === 'CT'],
      [
        'a SOP class',
        'instance',
        match(Tag.SOPClassUID, first.sopClassUid),
        (file) => file.sopClassUid === first.sopClassUid,
      ],
      ['rows', 'instance', match(Tag.Rows, '512'), (file) => file.rows === 512],
    ])('DW-2 matches %s', async (_name, level, rest, wanted) => {
      const uid = { study: 'studyUid', series: 'seriesUid', instance: 'sopInstanceUid' } as const;
      const rows = await source.search(query(level, rest));
      expect(rows).toHaveLength(distinct(files.filter(wanted).map((file) => file[uid[level]])));
    });

    either.each([
      ['20040101-20041231', (date: string) => date >= '20040101' && date <= '20041231'],
      ['-20031231', (date: string) => date <= '20031231'],
      ['20100101-', (date: string) => date >= '20100101'],
    ])('DW-2 matches the date range %s', async (range, within) => {
      const all = await source.search(query('study'));
      const dates = all.map((row) => text(row, Tag.StudyDate)).filter((date) => date && within(date));
      const rows = await source.search(query('study', match(Tag.StudyDate, range)));
      expect(rows.map((row) => text(row, Tag.StudyDate)).sort()).toEqual(dates.sort());
      expect(dates.length).toBeGreaterThan(0);
    });

    const named = (pattern: RegExp) => (row: DicomJson) => pattern.test(text(row, Tag.PatientName) ?? '');
    either.each<[string, SourceQuery['level'], string, string[], (row: DicomJson) => boolean]>([
      ['a name with ^ and wildcards', 'study', Tag.PatientName, ['TEST^P*'], named(/^Test\^P/i)],
      ['a name with a space', 'study', Tag.PatientName, ['Rubo DEMO'], named(/^Rubo DEMO$/)],
      ['a name beyond ASCII', 'study', Tag.PatientName, ['Buc^Jérôme'], named(/^Buc\^Jérôme$/)],
      [
        'a name with wildcards and ^ at the end',
        'study',
        Tag.PatientName,
        ['*last*^*^'],
        named(/^last.*\^/i),
      ],
      [
        'modalities with wildcards',
        'study',
        Tag.ModalitiesInStudy,
        ['C*', 'P?'],
        (row) => texts(row, Tag.ModalitiesInStudy).some((code) => /^C|^P.$/.test(code)),
      ],
      ['hours', 'study', Tag.StudyTime, ['10'], (row) => /^10/.test(text(row, Tag.StudyTime) ?? '')],
      [
        'a range of hours',
        'study',
        Tag.StudyTime,
        ['10-12'],
        (row) => /^1[0-2]/.test(text(row, Tag.StudyTime) ?? ''),
      ],
      [
        'a scheduled step',
        'series',
        `${Tag.RequestAttributesSequence}.${Tag.ScheduledProcedureStepID}`,
        ['nobody'],
        () => false,
      ],
    ])('DW-2 matches %s as every other source', async (_name, level, tag, values, wanted) => {
      const rows = await source.search(query(level, match(tag, ...values)));
      const expected = (await source.search(query(level))).filter(wanted);
      const uids = (found: DicomJson[]) => found.map((row) => text(row, Tag.StudyInstanceUID)).sort();
      expect(uids(rows)).toEqual(uids(expected));
    });

    either('DW-2 finds padded numbers within a study', async () => {
      const { studyUid } = files.find(({ patientId }) => patientId === '2178309')!;
      const rows = await source.search(
        query('instance', { studyUid: studyUid!, ...match(Tag.InstanceNumber, '1') }),
      );
      expect(rows).toHaveLength(files.filter((file) => file.studyUid === studyUid).length);
    });

    either('DW-6 gives pixels as bulk data, encapsulated pixels without their offset table', async () => {
      const file = files.find(({ transferSyntax }) => transferSyntax === '1.2.840.10008.1.2.4.80')!;
      const [row] = await metadataRows(source, target(file));
      const bulk = await source.bulkdata(target(file), row![Tag.PixelData]!.BulkDataURI!);
      const bytes = Buffer.concat(await bulk.open().toArray());
      expect(bulk).toMatchObject({ mediaType: 'image/jls', size: bytes.length });
      expect(bytes.readUInt16BE(0)).toBe(0xffd8);
      const part = await source.bulkdata(target(file), row![Tag.PixelData]!.BulkDataURI!);
      const range = Buffer.concat(await part.open({ start: 2, end: 5 }).toArray());
      expect(range.equals(bytes.subarray(2, 6))).toBe(true);
    });

    either(
      'DW-7 gives frames of Deflated Image Frame as application/x-deflate (PS3.18 §8.7.3.3)',
      async () => {
        const file = files.find(({ transferSyntax }) => transferSyntax === '1.2.840.10008.1.2.8.1')!;
        if (!canSend([file])) {
          await expect(source.frames(target(file), [1])).rejects.toMatchObject({
            details: { service: 'imaging' },
          });
          return;
        }
        const found = await source.frames(target(file), [1]);
        expect(found).toMatchObject({
          mediaType: 'application/x-deflate',
          transferSyntax: file.transferSyntax,
        });
        for await (const frame of found.frames) expect(frame.length).toBeGreaterThan(0);
      },
    );

    it('IA-21 retrieves every study as stored, byte for byte, each instance once', async () => {
      for (const studyUid of new Set(files.map((file) => file.studyUid!))) {
        const own = files.filter((file) => file.studyUid === studyUid);
        const instances: { uid: string; hash: string }[] = [];
        const retrieving = async () => {
          for await (const instance of source.retrieve({ studyUid }, '*')) {
            expect(instance.transferSyntax).toMatch(/^1\.2\.840\.10008\.1\.2/);
            const bytes = Buffer.concat(await instance.stream.toArray());
            const hash = wholeFiles ? sha256(bytes) : '';
            // The File Meta Information may be missing, or have another UID.
            const known = own.find((file) => file.sha256 === hash);
            instances.push({ uid: (known ?? instance).sopInstanceUid!, hash });
          }
        };
        if (!canSend(own)) {
          await expect(retrieving()).rejects.toMatchObject({ details: { service: 'imaging' } });
          continue;
        }
        await retrieving();
        const expected = own.map((file) => ({
          uid: file.sopInstanceUid,
          hash: wholeFiles ? file.sha256 : '',
        }));
        const inOrder = (a: { uid: string }, b: { uid: string }) => (a.uid < b.uid ? -1 : 1);
        expect(instances.sort(inOrder)).toEqual(expected.sort(inOrder));
      }
    });

    either('gives transfer syntax, UID and size of an instance', async () => {
      for (const file of withPixels.filter((file) => file.file.startsWith('ts-matrix/') && canSend([file]))) {
        for await (const instance of source.retrieve(target(file), '*')) {
          expect(instance).toMatchObject({
            transferSyntax: file.transferSyntax,
            sopInstanceUid: file.sopInstanceUid,
          });
          const bytes = await instance.stream.toArray();
          expect(Buffer.concat(bytes)).toHaveLength(instance.size!);
          if (wholeFiles) expect(instance.size).toBe(file.bytes);
        }
      }
    });

    either('DW-6 gives metadata of every instance, with relative addresses of its bulk data', async () => {
      for (const file of [first, ...files.filter(({ modality }) => ['XA', 'SR', 'ECG'].includes(modality))]) {
        const [row] = await metadataRows(source, target(file));
        expect(text(row!, Tag.SOPInstanceUID)).toBe(file.sopInstanceUid);
        for (const { vr, Value = [] } of Object.values(row!)) {
          if (vr === 'DS' || vr === 'IS')
            expect(Value.every((value) => typeof value !== 'string')).toBe(true);
        }
        for (const uri of bulkDataUris(row!).slice(0, 8)) {
          expect(uri).toMatch(/^bulkdata\/[\w./]+$/);
          const bulk = await source.bulkdata(target(file), uri);
          let bytes = 0;
          for await (const chunk of bulk.open()) bytes += (chunk as Buffer).length;
          expect(bytes).toBe(bulk.size ?? bytes);
        }
      }
      expect(await source.metadata({ studyUid: first.studyUid! })).toHaveLength(
        files.filter(({ studyUid }) => studyUid === first.studyUid).length,
      );
    });

    either('DW-10 opens a range of bulk data', async () => {
      const whole = await source.bulkdata(target(first), 'bulkdata/7FE00010');
      const bytes = Buffer.concat(await whole.open().toArray());
      const part = await source.bulkdata(target(first), 'bulkdata/7FE00010');
      const range = Buffer.concat(await part.open({ start: 1000, end: 70_000 }).toArray());
      expect(range.equals(bytes.subarray(1000, 70_001))).toBe(true);
      expect(bytes).toHaveLength(first.rows! * first.columns! * 2);
    });

    either(
      'DW-7 gives the first and the last frame of every object with pixels',
      async () => {
        for (const file of withPixels.filter((file) => canSend([file]))) {
          const frames = await source.frames(target(file), [file.frames, 1]);
          const lengths: number[] = [];
          for await (const frame of frames.frames) lengths.push(frame.length);
          expect(lengths, file.file).toHaveLength(2);
          expect(Math.min(...lengths), file.file).toBeGreaterThan(0);
          const native = frames.mediaType === 'application/octet-stream';
          if (!native) expect(frames.transferSyntax, file.file).toBe(file.transferSyntax);
        }
      },
      60_000,
    );

    either('gives native frames in little endian from files in any byte order', async () => {
      const hashes: string[] = [];
      for (const file of files.filter(({ file }) => /MR_small/.test(file))) {
        const { frames } = await source.frames(target(file), [1]);
        for await (const frame of frames) hashes.push(sha256(await inMemory(frame)));
      }
      // All files have the same pixels.
      expect(new Set(hashes).size).toBe(1);
    });

    it.each<[string, (source: ImagingSource) => Promise<unknown>, FaultCode]>([
      ['an unknown study', (source) => source.metadata({ studyUid: '1.2.3' }), 'not_found'],
      [
        "another study's series",
        (source) => source.metadata({ studyUid: first.studyUid!, seriesUid: other.seriesUid! }),
        'not_found',
      ],
      [
        "another series' instance",
        (source) => source.metadata({ ...target(first), instanceUid: other.sopInstanceUid }),
        'not_found',
      ],
      [
        'retrieving an unknown study',
        (source) => source.retrieve({ studyUid: '1.2.3' }, '*')[Symbol.asyncIterator]().next(),
        'not_found',
      ],
      [
        "retrieving another study's series",
        (source) =>
          source
            .retrieve({ studyUid: first.studyUid!, seriesUid: other.seriesUid! }, '*')
            [Symbol.asyncIterator]()
            .next(),
        'not_found',
      ],
      ['a frame out of range', (source) => source.frames(target(first), [2]), 'not_found'],
      [
        'frames of an object without pixels',
        (source) => source.frames(target(withoutPixels[0]!), [1]),
        'not_found',
      ],
      [
        "another instance's frames",
        (source) => source.frames({ ...target(first), instanceUid: other.sopInstanceUid }, [1]),
        'not_found',
      ],
      ['unknown bulk data', (source) => source.bulkdata(target(first), 'bulkdata/00091001'), 'not_found'],
      [
        'bulk data at a path outside the instance',
        (source) => source.bulkdata(target(first), 'bulkdata/../../metadata'),
        'not_found',
      ],
      [
        'bulk data at a URL',
        (source) => source.bulkdata(target(first), 'bulkdata/http://127.0.0.1/'),
        'not_found',
      ],
    ])('fails with not_found for %s', async (_name, ask, code) => {
      await expect(ask(source)).rejects.toMatchObject({ name: 'Fault', code });
    });

    either(
      'DW-5 gives all objects in Explicit VR Little Endian, and refuses an unsupported transfer syntax',
      async () => {
        const explicit = '1.2.840.10008.1.2.1';
        const implicit = files.find(({ transferSyntax }) => transferSyntax === '1.2.840.10008.1.2')!;
        const compressed = files.find(
          ({ transferSyntax }) =>
            transferSyntax === (canSend([htj2k]) ? htj2k.transferSyntax : '1.2.840.10008.1.2.4.90'),
        )!;
        for (const file of [implicit, compressed]) {
          for await (const instance of source.retrieve(target(file), explicit)) {
            expect(instance.transferSyntax).toBe(explicit);
            expect((await buffer(instance.stream)).toString('latin1', 128, 132)).toBe('DICM');
          }
        }
        await expect(
          source.retrieve(target(compressed), '1.2.840.10008.1.2.4.102')[Symbol.asyncIterator]().next(),
        ).rejects.toMatchObject({ code: 'not_acceptable' });
      },
    );

    either('DW-5 gives objects compressed without loss when an encoder takes their pixels', async () => {
      const jpegLs = '1.2.840.10008.1.2.4.80';
      const { value: given } = await source.retrieve(target(first), jpegLs)[Symbol.asyncIterator]().next();
      expect(given).toMatchObject({ transferSyntax: jpegLs, sopInstanceUid: first.sopInstanceUid });
      expect((await buffer((given as StoredInstance).stream)).length).toBeLessThan(first.bytes);
    });

    either('DW-7 gives decoded frames', async () => {
      const matrix = withPixels.filter((file) => file.file.startsWith('ts-matrix/') && canSend([file]));
      // `npm test` decodes each file from one of the sources, and from each source some.
      const inRun = matrix.filter((_, row) => isInTurn([row, column], backends.length - 1));
      for (const file of [first, ...inRun]) {
        const frames = await source.frames(target(file), [1]);
        const decoded = await frames.transcoded!(TransferSyntax.ExplicitVRLittleEndian);
        expect(decoded.mediaType).toBe('application/octet-stream');
        for await (const frame of decoded.frames) {
          // As the metadata announce: two pixels of 4:2:2 share their chroma.
          const samples = { RGB: 3, YBR_FULL: 3, YBR_FULL_422: 2 }[file.photometric!] ?? 1;
          const bits = file.rows! * file.columns! * samples * file.bitsAllocated!;
          expect(frame.length, file.file).toBe(bits / 8);
        }
      }
    });

    either('DW-6 gives metadata of one series', async () => {
      const { studyUid, seriesUid } = first;
      const rows = await metadataRows(source, { studyUid: studyUid!, seriesUid: seriesUid! });
      const own = files.filter((file) => file.seriesUid === seriesUid);
      const uids = rows.map((row) => text(row, Tag.SOPInstanceUID)).sort();
      expect(uids).toEqual(own.map(({ sopInstanceUid }) => sopInstanceUid).sort());
    });

    it('SM-18 passes its check', async () => {
      if (source.check) await expect(source.check()).resolves.toBeUndefined();
    });

    it('stops an aborted retrieval, and gives the next one everything', async () => {
      const study = { studyUid: first.studyUid! };
      const left = new AbortController();
      const reading = async () => {
        let read = 0;
        for await (const { stream } of source.retrieve(study, '*', left.signal)) {
          await buffer(stream);
          if (++read === 2) left.abort();
        }
      };
      await expect(reading()).rejects.toThrow();
      await expect(source.retrieve(study, '*', left.signal)[Symbol.asyncIterator]().next()).rejects.toThrow();
      let read = 0;
      for await (const { stream } of source.retrieve(study, '*'))
        read += Math.sign((await buffer(stream)).length);
      expect(read).toBe(files.filter(({ studyUid }) => studyUid === first.studyUid).length);
    });

    // The last test, because it removes the backend.
    it('DW-13 fails with a fault in every operation when its backend is gone', async () => {
      await fail();
      const asked: Record<string, () => Promise<unknown>> = {
        metadata: () => source.metadata(target(first)),
        retrieve: async () =>
          (await source.retrieve(target(first), '*')[Symbol.asyncIterator]().next()).value,
        frames: async () => buffer((await source.frames(target(first), [1])).frames),
        bulkdata: async () => buffer((await source.bulkdata(target(first), 'bulkdata/7FE00010')).open()),
      };
      for (const [name, ask] of Object.entries(asked)) {
        const fault = await ask().then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(fault, name).toBeInstanceOf(Fault);
        expect(['bad_gateway', 'unavailable', 'not_found'], name).toContain((fault as Fault).code);
      }
    });
  });
}
