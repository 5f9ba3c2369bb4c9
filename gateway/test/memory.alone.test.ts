/**
 * DW-24: the announced size of objects limits how much work runs at the same time, and small requests and objects do
 * not take much memory; tried on the built gateway, over HTTP.
 */
import { setMaxListeners } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { TransferSyntax } from '../../schema/dicom/dicom.ts';
import type { PixelDescription } from '../../subgraphs/imaging/dicom/pixel-description.ts';
import { imageObject, SMALL } from './setup/image-object.ts';
import { LONG } from './setup/long.ts';
import { expectUnharmed, harmOf, startWatchedGateway, type WatchedGateway } from './setup/unharmed.ts';
import { longTest, testEach } from './setup/usual-run.ts';

const OCTETS = 'multipart/related; type="application/octet-stream"';
/** Side of the largest image, in pixels. Decoded it has 256 MB, and 64 MB in `npm test`. */
const SIDE = LONG ? 16_000 : 8000;
const LARGE = `${SIDE ** 2 / 1e6} MB`;
const TWELVE = Array.from({ length: 12 }, (_, index) => index);

const [RLE, GREY, COLOUR, NATIVE, FILM, SMALL_FRAMES, SMALL_RLE] = [1, 2, 3, 4, 5, 6, 7].map(
  (n) => `1.9.${n}`,
);
const square = (side: number, more: Partial<PixelDescription> = {}): PixelDescription => ({
  ...SMALL,
  rows: side,
  columns: side,
  ...more,
});

/** Makes a frame of zeros in RLE, of a 64th of its size (PS3.5 Annex G). */
function zeros(bytes: number, segments: number): Buffer[] {
  const run = Buffer.alloc(Math.ceil(bytes / 128) * 2, Buffer.of(129, 0));
  const header = Buffer.alloc(64);
  header.writeUInt32LE(segments);
  for (let segment = 0; segment < segments; segment++)
    header.writeUInt32LE(64 + segment * run.length, 4 + 4 * segment);
  return [Buffer.alloc(0), Buffer.concat([header, ...Array.from({ length: segments }, () => run)])];
}

let folder: string;
let gateway: WatchedGateway;
let dispatcher: Agent;
let idle: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'memory-'));
  const put = (uid: string, ...object: [string, PixelDescription, Uint8Array | readonly Uint8Array[]]) =>
    writeFile(join(folder, uid), imageObject(uid, ...object));
  const explicit = TransferSyntax.ExplicitVRLittleEndian;
  const rle = TransferSyntax.RLELossless;
  const words = { bitsAllocated: 16, bitsStored: 12, highBit: 11 };
  const rgb = { samplesPerPixel: 3, photometricInterpretation: 'RGB' };
  await put(RLE!, rle, square(SIDE), zeros(SIDE ** 2, 1));
  await put(SMALL_RLE!, rle, square(512), zeros(512 ** 2, 1));
  await put(GREY!, rle, square(8000, words), zeros(8000 ** 2, 2));
  await put(COLOUR!, rle, square(6000, rgb), zeros(6000 ** 2, 3));
  await put(NATIVE!, explicit, square(SIDE), Buffer.alloc(SIDE ** 2));
  await put(FILM!, explicit, square(1024, { numberOfFrames: 32 }), Buffer.alloc(32 * 1024 ** 2));
  await put(SMALL_FRAMES!, explicit, square(512, { numberOfFrames: 20 }), Buffer.alloc(20 * 512 ** 2));
  gateway = await startWatchedGateway({
    tenants: {
      memory: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        images: { type: 'folder', path: folder, lookup: 'all-studies-on-server', patience: 300 },
      },
    },
    environment: { LOG_LEVEL: 'warn' },
  });
  dispatcher = new Agent({ connections: null, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  // The first requests of each kind load code, in as many threads as there may be.
  await vi.waitFor(async () => {
    expect((await get(SMALL_FRAMES!, '/frames/1', OCTETS)).status).toBe(200);
  }, POLL);
  for (const [path, accept] of [
    ['/frames/1', OCTETS],
    ['/rendered', 'image/webp'],
  ] as const)
    await Promise.all(TWELVE.flatMap(() => [get(SMALL_RLE!, path, accept), get(FILM!, '/metadata', '*/*')]));
  idle = await residentMegabytes();
}, 120_000);
afterAll(async () => {
  await dispatcher?.destroy();
  await gateway?.stop();
  await rm(folder, { recursive: true, force: true });
}, 30_000);
const POLL = { timeout: 60_000, interval: 200 };

async function residentMegabytes(): Promise<number> {
  const [, pages] = (await readFile(`/proc/${gateway.pid}/statm`, 'latin1')).split(' ');
  return (Number(pages) * 4096) / 1e6;
}

function ask(uid: string, path: string, accept: string, signal?: AbortSignal) {
  const url = `${gateway.url}/memory/dicomweb/studies/${uid}/series/${uid}.1/instances/${uid}.1.1${path}`;
  return request(url, { headers: { accept }, dispatcher, ...(signal && { signal }) });
}

/** Reads an answer to its end; returns the text of a small one. */
async function get(uid: string, path: string, accept: string) {
  const { statusCode, body } = await ask(uid, path, accept);
  let bytes = 0;
  let text = '';
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes < 1000) text += chunk.toString();
  }
  return { status: statusCode, bytes, text };
}

describe('DW-24 work that is much larger than its request', () => {
  test(`an RLE object that decodes to ${LARGE}, 64 times its size, twelve times at once`, async () => {
    const harm = await harmOf(gateway, async () => {
      for (const { status, bytes } of await Promise.all(TWELVE.map(() => get(RLE!, '/frames/1', OCTETS)))) {
        expect(status).toBe(200);
        expect(bytes).toBeGreaterThan(SIDE ** 2);
      }
    });
    expectUnharmed(harm);
    // The memory of a heavy task is freed when its thread ends.
    await expect.poll(residentMegabytes, POLL).toBeLessThan(idle + 120);
  }, 300_000);

  const SLOW: [what: string, uid: string, accept: string][] = [
    ['as stored', NATIVE!, OCTETS],
    ['that is decoded', RLE!, OCTETS],
    ['that is decoded, without multipart', RLE!, 'application/octet-stream'],
  ];
  testEach(SLOW, (_, row) => row < 1)(
    `a frame of ${LARGE} %s, for twelve clients that do not read`,
    async (_what, uid, accept) => {
      const harm = await harmOf(gateway, async () => {
        const leaving = new AbortController();
        setMaxListeners(TWELVE.length, leaving.signal);
        const answers = TWELVE.map(() => ask(uid, '/frames/1', accept, leaving.signal));
        for (const answer of answers)
          answer.then(({ body }) => body.on('error', () => undefined)).catch(() => undefined);
        const { statusCode } = await Promise.any(answers);
        expect(statusCode).toBe(200);
        await delay(1000);
        leaving.abort();
        await Promise.allSettled(answers);
      });
      expectUnharmed(harm);
      expect((await get(SMALL_FRAMES!, '/frames/1', OCTETS)).status).toBe(200);
    },
    300_000,
  );

  longTest(
    'large images and films, thumbnails, and small images enlarged, all at once',
    async () => {
      const usual: [uid: string, path: string, accept: string][] = [
        [GREY!, '/rendered', 'image/png'],
        [GREY!, '/thumbnail', 'image/jpeg'],
        [FILM!, '/rendered', 'image/gif'],
        [SMALL_FRAMES!, '/frames/1/rendered?viewport=4096,4096', 'image/webp'],
        [SMALL_FRAMES!, '/thumbnail?viewport=2048,2048', 'image/png'],
      ];
      const more: typeof usual = [
        [GREY!, '/rendered?annotation=overlay&viewport=800,800', 'image/jpeg'],
        [COLOUR!, '/rendered', 'image/jpeg'],
        [FILM!, '/rendered', 'image/webp'],
        [SMALL_FRAMES!, '/frames/1/rendered?viewport=8192,8192', 'image/png'],
      ];
      const asked = LONG ? [...usual, ...more] : usual;
      const harm = await harmOf(gateway, async () => {
        const answers = await Promise.all(asked.map((one) => get(...one)));
        expect(answers.map(({ status, text }, i) => [...asked[i]!, status, status === 200 || text])).toEqual(
          asked.map((one) => [...one, 200, true]),
        );
      });
      expectUnharmed(harm);
    },
    300_000,
  );
});

describe('DW-24 refusals', () => {
  test.each([
    [
      '/frames/1',
      'multipart/related; type="image/jp2"',
      /8000 × 8000 pixels is too large.*transfer-syntax=\*/,
    ],
    [
      '',
      'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90',
      /as it is stored/,
    ],
    ['/rendered?viewport=50000,50000', 'image/jpeg', /at most 8192 pixels a side/],
    ['/thumbnail?viewport=50000,50000', 'image/jpeg', /at most 8192 pixels a side/],
    ['/rendered?viewport=8192,8192', 'image/gif', /too large to be rendered here.*viewport/],
  ])('%s as %s needs too much memory: 413 that says what to request instead', async (path, accept, says) => {
    const { status, text } = await get(GREY!, path, accept);
    expect([status, text]).toEqual([413, expect.stringMatching(says)]);
  });

  test('gives the next of several media types where the first is too large', async () => {
    const accept = 'multipart/related; type="application/dicom"; transfer-syntax=';
    const { status } = await get(GREY!, '', `${accept}1.2.840.10008.1.2.4.90, ${accept}*; q=0.5`);
    expect(status).toBe(200);
  });

  test('a frame that is listed 5,000 times: 400 with the reason, and little memory', async () => {
    const list = Array(5000).fill(1).join();
    const harm = await harmOf(gateway, async () => {
      for (const path of [`/frames/${list}`, `/frames/${list}/rendered`, `/frames/${list}/thumbnail`]) {
        const { status, text } = await get(SMALL_FRAMES!, path, '*/*');
        expect([status, text]).toEqual([400, expect.stringMatching(/names each frame once/)]);
      }
    });
    expectUnharmed(harm);
    expect(harm.growth).toBeLessThan(50);
  }, 60_000);

  test.each([
    ['1,2,3', 200],
    ['1,1,2,2,3,3,4,4', 200],
    ['1,1,1,1,1,1', 400],
    ['1,2,1,2,1,2,1,2', 400],
    [Array.from({ length: 20 }, (_, i) => i + 1).join(), 200],
    [Array.from({ length: 21 }, (_, i) => i + 1).join(), 404],
  ])('frames %s: %i', async (list, status) => {
    expect((await get(SMALL_FRAMES!, `/frames/${list}`, OCTETS)).status).toBe(status);
  });

  test('far too many media ranges: 400', async () => {
    const many = Array.from({ length: 3000 }, (_, i) => `image/*;q=0.${i}`).join();
    const harm = await harmOf(gateway, async () => {
      const answers = await Promise.all(TWELVE.map(() => get(SMALL_FRAMES!, '/rendered', many)));
      expect(answers.map(({ status }) => status)).toEqual(TWELVE.map(() => 400));
    });
    expectUnharmed(harm);
  }, 60_000);
});
