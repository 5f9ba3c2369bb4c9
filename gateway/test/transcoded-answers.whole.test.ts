/**
 * Every transcoding over real HTTP, to the last byte: frames and objects of each family of transfer syntaxes, from a
 * folder and from a real Orthanc, in every form (DW-5, DW-7, DW-13).
 */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, vi } from 'vitest';
import { Tag, text, TransferSyntax } from '../../schema/dicom/dicom.ts';
import { boundaryOf, readMultipart } from '../../subgraphs/imaging/multipart/multipart.ts';
import { decodeFrame } from '../../subgraphs/imaging/pixels/codecs/frame.ts';
import type { PixelDescription } from '../../subgraphs/imaging/dicom/pixel-description.ts';
import { encoderTakes, encoderTakesColours } from '../../subgraphs/imaging/pixels/transcode-pixels.ts';
import {
  fileFrames,
  fingerprints,
  framesOf,
  type FileFrames,
} from '../../subgraphs/imaging/pixels/test/file-frames.ts';
import { orthancImages } from '../../subgraphs/imaging/test/subgraph.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { describeWithSharedData, sharedDataPath, sharedDicomFiles } from './setup/shared-data.ts';
import { isInTurn, testEach } from './setup/usual-run.ts';

const { ExplicitVRLittleEndian, JPEGLSLossless, JPEG2000Lossless } = TransferSyntax;
const { HTJ2KLossless, HTJ2KLosslessRPCL } = TransferSyntax;

/** Small lossless images, whose samples must come back unchanged: one of each transfer syntax, and a CT. */
const FILES = [
  'ct-head-ge/19.dcm',
  'charset/chrFren.dcm',
  'pt/sample.dcm',
  'ts-matrix/MR_small_bigendian.dcm',
  'ts-matrix/image_dfl.dcm',
  'mr-epi-siemens/jpg1.dcm',
  'mr-t1-forrest/N2D_0379.dcm',
  'mr-multiframe/emri_small_jpeg_2k_lossless.dcm',
  'ts-matrix/HTJ2KLossless_08_RGB.dcm',
  'us-still/OBXXXX1A_rle_2frame.dcm',
  'seg/liver_nonbyte_aligned_deflate.dcm',
];
const rows = sharedDicomFiles().filter(({ file }) => FILES.includes(file));
const path = (file: string) => sharedDataPath('dicom', file);

/** The media type of frames in each transfer syntax, PS3.18 Table 8.7.3-5. */
const FRAME_TYPES: Record<string, string> = {
  [ExplicitVRLittleEndian]: 'application/octet-stream',
  [JPEGLSLossless]: 'image/jls',
  [JPEG2000Lossless]: 'image/jp2',
  [HTJ2KLossless]: 'image/jphc',
  [HTJ2KLosslessRPCL]: 'image/jphc',
};
const TARGETS = Object.keys(FRAME_TYPES);
/**
 * Returns whether `npm test` requests a single file in a target: in one target, which changes with the file and the source.
 * As whole studies every file is requested in every target, from one of the sources.
 */
const isUsual = (source: string, file: string) => (_target: string, column: number) =>
  isInTurn([FILES.indexOf(file) + (source === 'folder' ? 1 : 0), column], TARGETS.length);

let gateway: TestGateway;
let orthanc: Orthanc;
let folder: string;
let url: string;

interface Received {
  status: number;
  type: string;
  /** Content-Length, if present. */
  announced: number | undefined;
  /** Whether the answer ended correctly by HTTP. */
  complete: boolean;
  body: Buffer;
}

function receive(at: string, accept: string): Promise<Received> {
  return new Promise((resolve, reject) => {
    const asked = request(url + at, { headers: { accept }, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
      response.on('close', () => {
        const { 'content-length': length, 'content-type': type = '' } = response.headers;
        const announced = length === undefined ? undefined : Number(length);
        const { statusCode = 0, complete } = response;
        resolve({ status: statusCode, type, announced, complete, body: Buffer.concat(chunks) });
      });
    });
    asked.on('error', reject).end();
  });
}

async function partsOf({ type, body }: Received): Promise<{ type: string; bytes: Buffer }[]> {
  const parts = [];
  for await (const part of readMultipart(Readable.from([body]), boundaryOf(type)!)) {
    const chunks: Buffer[] = [];
    for await (const chunk of part.body) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    if (part.size !== undefined) expect(bytes).toHaveLength(part.size);
    parts.push({ type: part.headers['content-type']!, bytes });
  }
  return parts;
}

/** Extracts the files of all zips with Python's reader, which checks every offset and checksum. */
async function filesOf(zips: readonly Buffer[]): Promise<Buffer[]> {
  const directory = await mkdtemp(join(tmpdir(), 'unzipped-'));
  try {
    await Promise.all(zips.map((zip, n) => writeFile(join(directory, `${n}.zip`), zip)));
    const script =
      'import sys,zipfile\nfor n in range(int(sys.argv[1])): zipfile.ZipFile(f"{n}.zip").extractall("files")';
    await promisify(execFile)('python3', ['-c', script, String(zips.length)], { cwd: directory });
    const names = await readdir(join(directory, 'files'));
    return await Promise.all(names.map((name) => readFile(join(directory, 'files', name))));
  } finally {
    await rm(directory, { recursive: true });
  }
}

const samplesOf = async (frames: readonly Uint8Array[], transferSyntax: string, pixels: PixelDescription) =>
  fingerprints(
    await Promise.all(frames.map((frame) => decodeFrame(Buffer.from(frame), transferSyntax, pixels))),
  );
const inSamples = ({ frames, transferSyntax, pixels }: FileFrames) =>
  samplesOf(frames, transferSyntax, pixels);

const decoded = new Map<string, Promise<object[]>>();
/** Returns fingerprints of the samples of a file, which is decoded once. */
function samplesOfFile(file: string): Promise<object[]> {
  const known = decoded.get(file) ?? fileFrames(path(file)).then((frames) => inSamples(frames!));
  decoded.set(file, known);
  return known;
}

/** Tells whether a file can be given in a transfer syntax. */
const isMade = (syntax: string, { pixels }: FileFrames) =>
  syntax === ExplicitVRLittleEndian ||
  (encoderTakes(pixels, syntax) && encoderTakesColours(pixels.photometricInterpretation, syntax));

/**
 * Expects an object to have this transfer syntax and the samples of its file; an object that no encoder accepts stays
 * uncompressed.
 */
async function same(bytes: Buffer, syntax: string): Promise<void> {
  const given = (await framesOf(bytes))!;
  const uid = text(given.dataset, Tag.SOPInstanceUID);
  const { file } = rows.find(({ sopInstanceUid }) => sopInstanceUid === uid)!;
  const stored = (await fileFrames(path(file)))!;
  if (isMade(syntax, stored)) expect(given.transferSyntax).toBe(syntax);
  expect(await inSamples(given)).toEqual(await samplesOfFile(file));
}

/** Expects a complete answer with status 200, and returns it. */
async function whole(at: string, accept: string): Promise<Received> {
  const received = await receive(at, accept);
  expect({ ...received, body: received.status === 200 ? '' : String(received.body) }).toMatchObject({
    status: 200,
    complete: true,
    body: '',
    announced: received.announced === undefined ? undefined : received.body.length,
  });
  return received;
}

describeWithSharedData('DW-13 transcoded answers are complete', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'transcoded-'));
    await Promise.all(rows.map(({ file }, n) => cp(path(file), join(folder, `${n}.dcm`))));
    orthanc = await startOrthanc({ files: rows.map(({ file }) => path(file)) });
    const authorization = { type: 'mock', disableAuthzChecks: true };
    const lookup = 'all-studies-on-server';
    gateway = await buildTestGateway(
      () => ({
        folder: { authorization, images: { type: 'folder', path: folder, lookup } },
        'dicom-web': { authorization, images: orthancImages(orthanc, { lookup }) },
      }),
      { images: '', patients: '' },
    );
    url = await gateway.app.listen({ port: 0, host: '127.0.0.1' });
    await vi.waitFor(
      async () => {
        const { body } = await receive('/folder/dicomweb/studies', '*/*');
        expect(JSON.parse(String(body))).toHaveLength(new Set(rows.map(({ studyUid }) => studyUid)).size);
      },
      { timeout: 20_000, interval: 100 },
    );
  });
  afterAll(async () => {
    await gateway?.close();
    await orthanc?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  describe.each(['folder', 'dicom-web'])('%s', (source) => {
    describe.each(rows)('$file', ({ file, studyUid, seriesUid, sopInstanceUid, frames: count }) => {
      const instance = `/${source}/dicomweb/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}`;

      testEach(TARGETS, isUsual(source, file))('DW-7 frames as %s', async (syntax) => {
        const stored = (await fileFrames(path(file)))!;
        const type = FRAME_TYPES[syntax]!;
        const named = `${type}; transfer-syntax=${syntax}`;
        const multipart = `multipart/related; type="${type}"; transfer-syntax=${syntax}`;
        if (!isMade(syntax, stored)) {
          for (const accept of [named, multipart])
            expect((await receive(`${instance}/frames/1`, accept)).status).toBe(406);
          return;
        }
        const wanted = await samplesOfFile(file);
        const found = (frames: Buffer[]) => samplesOf(frames, syntax, stored.pixels);
        const single = await whole(`${instance}/frames/1`, named);
        expect(single.announced).toBe(single.body.length);
        expect(await found([single.body])).toEqual(wanted.slice(0, 1));
        const one = await partsOf(await whole(`${instance}/frames/1`, multipart));
        expect(await found(one.map(({ bytes }) => bytes))).toEqual(wanted.slice(0, 1));
        expect(one[0]!.type).toBe(`${type}; transfer-syntax=${syntax}`);
        if (count === 1) return;
        const numbers = wanted.map((_, index) => index + 1).join();
        const all = await partsOf(await whole(`${instance}/frames/${numbers}`, multipart));
        expect(await found(all.map(({ bytes }) => bytes))).toEqual(wanted);
      });

      testEach(TARGETS, isUsual(source, file))('DW-5 objects as %s', async (syntax) => {
        const stored = (await fileFrames(path(file)))!;
        const single = `application/dicom; transfer-syntax=${syntax}`;
        const multipart = `multipart/related; type="application/dicom"; transfer-syntax=${syntax}`;
        if (!isMade(syntax, stored)) {
          expect((await receive(instance, single)).status).toBe(406);
          return;
        }
        await same((await whole(instance, single)).body, syntax);
        const [one, ...more] = await partsOf(await whole(instance, multipart));
        expect(more).toEqual([]);
        await same(one!.bytes, syntax);
      });
    });

    const column = source === 'folder' ? 0 : 1;
    testEach(TARGETS, (_, row) => isInTurn([row, column], 2))('DW-5 studies as %s', async (syntax) => {
      const zips = new Map<string, Buffer>();
      for (const { studyUid } of rows) {
        const files = rows.filter((row) => row.studyUid === studyUid);
        const study = `/${source}/dicomweb/studies/${studyUid}`;
        const multipart = `multipart/related; type="application/dicom"; transfer-syntax=${syntax}`;
        const parts = await partsOf(await whole(study, multipart));
        expect(parts).toHaveLength(files.length);
        for (const { bytes } of parts) await same(bytes, syntax);
        zips.set(studyUid!, (await whole(study, `application/zip; transfer-syntax=${syntax}`)).body);
      }
      const unzipped = await filesOf([...zips.values()]);
      expect(unzipped).toHaveLength(rows.length);
      for (const bytes of unzipped) await same(bytes, syntax);
    });
  });
});
