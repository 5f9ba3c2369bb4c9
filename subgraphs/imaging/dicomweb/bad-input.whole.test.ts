import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startServer, type ImagingServer } from '../../../gateway/test/setup/imaging-server.ts';
import { describeWithSharedData, sharedDataPath } from '../../../gateway/test/setup/shared-data.ts';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { transcodePixels } from '../pixels/transcode-pixels.ts';
import { fileFrames } from '../pixels/test/file-frames.ts';
import { testEach } from '../../../gateway/test/setup/usual-run.ts';
import { imageObject, SMALL } from '../../../gateway/test/setup/image-object.ts';
import { processorTimeOf } from '../../../gateway/test/setup/processor-time.ts';

/**
 * Damaged and hostile objects, and the answers for them: over real sockets, from a process whose memory is measured.
 */

/** Milliseconds of the processors, and MB, that each of them may cost. */
const PATIENCE = 5_000;
const GROWTH = 600;

const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian;
const DEFLATED_FRAME = TransferSyntax.DeflatedImageFrameCompression;
const JPEG = '1.2.840.10008.1.2.4.50';
const NO_TABLE = Buffer.alloc(0);
const HUGE = { ...SMALL, rows: 65535, columns: 65535 };
const KILOBYTE = Buffer.alloc(1024, 7);

type Ask = [path: string, status: number, words: RegExp];
interface Case {
  name: string;
  file: (studyUid: string) => Buffer | Promise<Buffer>;
  asks: Ask[];
}

const ABSENT: Ask[] = [
  ['', 404, /no such object/i],
  ['/metadata', 404, /no such object/i],
  ['/rendered', 404, /no such object/i],
];
const DAMAGED = /stored (object|image).*(damaged|cannot be decoded)/i;
const [FRAME, PICTURE]: Ask[] = [
  ['/frames/1', 502, DAMAGED],
  ['/rendered', 502, DAMAGED],
];
const TOO_LARGE: Ask = ['/rendered', 413, /too large/];
/** Frames as stored are given unchecked; this request has them decoded. */
const DECODED: Ask = [
  '/frames/1?accept=application/octet-stream;transfer-syntax=1.2.840.10008.1.2.1',
  502,
  DAMAGED,
];

/** A small file, to be cut or changed. */
const small = (studyUid: string): Buffer => imageObject(studyUid, EXPLICIT, SMALL, Buffer.alloc(16));

async function falsified(studyUid: string, to: string, change: (stream: Buffer) => void): Promise<Buffer> {
  const path = sharedDataPath('dicom', 'mr-multiframe/emri_small_jpeg_2k_lossless.dcm');
  const { frames, pixels, transferSyntax } = (await fileFrames(path))!;
  const { bytes } = await transcodePixels({ encoded: frames[0]!, transferSyntax, pixels, to });
  const stream = Buffer.from(bytes);
  change(stream);
  return imageObject(studyUid, to, { ...pixels, numberOfFrames: 1 }, [NO_TABLE, stream]);
}

/**
 * Writes 65535 × 65535 into the size of a JPEG or JPEG-LS stream (ITU T.81 §B.2.2), or of a codestream (ISO 15444-1
 * §A.5.1).
 */
function hugeFrame(stream: Buffer, startOfFrame: number): void {
  const at = stream.indexOf(Buffer.of(0xff, startOfFrame));
  expect(at).toBeGreaterThan(0);
  stream.writeUInt32BE(0xffffffff, at + 5);
}
function hugeCodestream(stream: Buffer): void {
  stream.writeUInt32BE(65535, 8);
  stream.writeUInt32BE(65535, 12);
}

async function jpeg(studyUid: string, change: (stream: Buffer) => Buffer): Promise<Buffer> {
  const path = sharedDataPath('dicom', 'ts-matrix/SC_rgb_jpeg_dcmtk.dcm');
  const { frames, pixels } = (await fileFrames(path))!;
  return imageObject(studyUid, JPEG, pixels, [NO_TABLE, change(Buffer.from(frames[0]!))]);
}

/** Inserts an element before the modality, (0008,0060). */
function inserted(studyUid: string, bytes: Buffer): Buffer {
  const file = small(studyUid);
  const at = file.indexOf(Buffer.from('080060004353', 'hex'));
  return Buffer.concat([file.subarray(0, at), bytes, file.subarray(at)]);
}

/** Makes a file with a deflated data set (PS3.5 §A.5). */
function deflatedFile(studyUid: string, pixels: Buffer): Buffer {
  const syntax = TransferSyntax.DeflatedExplicitVRLittleEndian;
  const side = Math.floor(Math.sqrt(pixels.length));
  const file = imageObject(studyUid, syntax, { ...SMALL, rows: side, columns: side }, pixels);
  const end = 144 + file.readUInt32LE(140);
  return Buffer.concat([file.subarray(0, end), deflateRawSync(file.subarray(end), { level: 1 })]);
}

const table = (...offsets: number[]): Buffer => Buffer.from(Uint32Array.from(offsets).buffer);

const CASES: Case[] = [
  { name: 'truncated within its header', file: (uid) => small(uid).subarray(0, 300), asks: ABSENT },
  { name: 'truncated within its pixels', file: (uid) => small(uid).subarray(0, -8), asks: ABSENT },
  {
    name: 'a JPEG with a flipped bit in a marker',
    file: (uid) => jpeg(uid, (stream) => (stream.writeUInt8(stream[1]! ^ 0x10, 1), stream)),
    asks: [PICTURE!, DECODED],
  },
  {
    name: 'a truncated JPEG',
    file: (uid) => jpeg(uid, (stream) => stream.subarray(0, 200)),
    asks: [PICTURE!, DECODED],
  },
  {
    name: 'with absurd lengths',
    file: (uid) => inserted(uid, Buffer.from('08005000' + '55540000' + 'f0ffffff', 'hex')),
    asks: ABSENT,
  },
  {
    name: 'with sequences a thousand deep',
    file: (uid) =>
      inserted(uid, Buffer.from(('08000615' + '53510000ffffffff' + 'feff00e0ffffffff').repeat(1000), 'hex')),
    asks: ABSENT,
  },
  {
    name: 'a deflate bomb of 600 MB',
    file: (uid) => deflatedFile(uid, Buffer.alloc(600_000_000)),
    asks: ABSENT,
  },
  {
    name: 'a large deflated picture: valid, but too large to be rendered',
    file: (uid) => deflatedFile(uid, Buffer.alloc(12_000 ** 2)),
    asks: [TOO_LARGE],
  },
  {
    name: 'a deflate bomb in a frame',
    file: (uid) =>
      imageObject(uid, DEFLATED_FRAME, SMALL, [NO_TABLE, deflateRawSync(Buffer.alloc(300_000_000))]),
    asks: [PICTURE!, DECODED],
  },
  {
    name: 'with frames beyond the end of its pixels',
    file: (uid) => imageObject(uid, EXPLICIT, { ...SMALL, numberOfFrames: 1000 }, Buffer.alloc(16)),
    asks: [FRAME!, PICTURE!, ['/frames/1000', 502, DAMAGED]],
  },
  {
    name: 'valid, asked for a frame that it does not have',
    file: small,
    asks: [
      ['/frames/2', 404, /no such object/],
      ['/frames/2/rendered', 404, /no such object/],
    ],
  },
  {
    name: '65535 × 65535 in a kilobyte',
    file: (uid) => imageObject(uid, EXPLICIT, HUGE, KILOBYTE),
    asks: [FRAME!, TOO_LARGE],
  },
  {
    name: '65535 × 65535 in a compressed kilobyte',
    file: (uid) => imageObject(uid, JPEG, HUGE, [NO_TABLE, KILOBYTE]),
    asks: [TOO_LARGE, DECODED],
  },
  {
    name: '8192 × 8192 in a compressed kilobyte',
    file: (uid) => imageObject(uid, JPEG, { ...SMALL, rows: 8192, columns: 8192 }, [NO_TABLE, KILOBYTE]),
    asks: [PICTURE!, DECODED],
  },
  {
    name: 'a JPEG stream with a false size in its header',
    file: (uid) => jpeg(uid, (stream) => (hugeFrame(stream, 0xc0), stream)),
    asks: [PICTURE!, DECODED],
  },
  {
    name: 'a JPEG-LS stream with a false size in its header',
    file: (uid) => falsified(uid, TransferSyntax.JPEGLSLossless, (stream) => hugeFrame(stream, 0xf7)),
    asks: [PICTURE!, DECODED],
  },
  {
    name: 'a JPEG 2000 stream with a false size in its header',
    file: (uid) => falsified(uid, TransferSyntax.JPEG2000Lossless, hugeCodestream),
    asks: [PICTURE!, DECODED],
  },
  {
    name: 'an HTJ2K stream with a false size in its header',
    file: (uid) => falsified(uid, TransferSyntax.HTJ2KLossless, hugeCodestream),
    asks: [PICTURE!, DECODED],
  },
  {
    name: 'with an offset table that points outside',
    file: (uid) =>
      imageObject(uid, DEFLATED_FRAME, { ...SMALL, numberOfFrames: 2 }, [
        table(0, 0xfffffff0),
        KILOBYTE,
        KILOBYTE,
        KILOBYTE,
      ]),
    asks: [FRAME!, PICTURE!, ['/frames/2', 502, DAMAGED]],
  },
  {
    name: 'with fragments without end',
    file: (uid) => imageObject(uid, JPEG, SMALL, [NO_TABLE, KILOBYTE]).subarray(0, -8),
    asks: ABSENT,
  },
  {
    name: 'with three million fragments',
    file: (uid) => {
      const file = imageObject(uid, JPEG, SMALL, [NO_TABLE]);
      const empty = Buffer.alloc(8 * 3_000_000);
      for (let at = 0; at < empty.length; at += 8) empty.writeUInt32LE(0xe000fffe, at);
      return Buffer.concat([file.subarray(0, -8), empty, file.subarray(-8)]);
    },
    asks: [FRAME!, PICTURE!],
  },
];

describeWithSharedData('damaged and hostile objects', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bad-input-'));
  let server: ImagingServer;
  let indexed = 0;
  const studyUid = (name: string) => `1.2.${CASES.findIndex((one) => one.name === name) + 10}`;
  const get = (uid: string, path: string) =>
    request(`${server.address}/bench/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1${path}`, {
      ...(path === '' && { headers: { accept: 'application/dicom; transfer-syntax=*' } }),
    });

  beforeAll(async () => {
    const folder = join(directory, 'folder');
    mkdirSync(folder);
    writeFileSync(join(folder, 'good.dcm'), small('1.2.3'));
    for (const [index, { name, file }] of CASES.entries())
      writeFileSync(join(folder, `${index}.dcm`), await file(studyUid(name)));
    server = await startServer(
      { type: 'folder', lookup: 'all-studies-on-server', path: folder },
      join(directory, 'data'),
    );
    // From here on the peak of its memory is recorded.
    await server.memory();
    const isServed = async () => expect((await get('1.2.3', '/rendered')).statusCode).toBe(200);
    await vi.waitFor(isServed, 60_000);
    indexed = (await server.memory()).peak;
  }, 120_000);
  afterAll(() => {
    server.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('are indexed in less than 800 MB of memory', () => expect(indexed).toBeLessThan(800));

  // `npm test` tries every other one.
  testEach(CASES, (_, row) => row % 2 === 0)('$name', async ({ name, asks }) => {
    const before = await server.memory();
    for (const [path, status, words] of asks) {
      let answer!: Awaited<ReturnType<typeof get>>;
      let text!: string;
      const ask = async () => {
        answer = await get(studyUid(name), path);
        text = await answer.body.text();
      };
      expect(await processorTimeOf(server.pid, ask)).toBeLessThan(PATIENCE);
      expect([path, answer.statusCode, text.slice(0, 300)]).toEqual([
        path,
        status,
        expect.stringMatching(words),
      ]);
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
      expect(Object.keys(JSON.parse(text) as object)).toEqual(['error', 'message']);
      expect(text).not.toMatch(/\.ts|\.js|node_modules|    at |\/tmp/);
      const good = await get('1.2.3', '/rendered');
      expect((await good.body.arrayBuffer()).byteLength).toBeGreaterThan(100);
      expect(good.statusCode).toBe(200);
    }
    expect((await server.memory()).peak - before.rss).toBeLessThan(GROWTH);
  });
});
