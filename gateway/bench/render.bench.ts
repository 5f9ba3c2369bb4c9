/** Rendering of CT slices beside sharp alone, thumbnails from the cache, and the delay of the event loop meanwhile. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { Pool, type Dispatcher } from 'undici';
import { processorTime, workedBy } from '../test/setup/processor-time.ts';
import { startBuiltServer } from './built-server.ts';
import { ctInstanceUid, ctSeriesUid, ctStudyUid, writeCtFiles } from './data/ct-files.ts';
import { alternate, median, type Figure } from './measure.ts';

const SLICES = 64;
const SIZE = 512;
const AT_ONCE = 8;
const PICTURES = 300;
const THUMBNAILS = 4000;
const ROUNDS = 5;
const RENDERED = 'rendered?window=40,400,linear';

export async function bench(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'render-'));
  const images = join(directory, 'images');
  await writeCtFiles(images, SLICES, { slices: SLICES, seriesPerStudy: 1, size: SIZE });
  for (let slice = 0; slice < SLICES; slice++) await drawSlice(images, slice);
  const server = await startBuiltServer(
    { type: 'folder', path: images, lookup: 'all-studies-on-server' },
    directory,
  );
  const { origin } = new URL(server.address);
  const pool = new Pool(origin, { connections: AT_ONCE });
  try {
    const series = `/bench/dicomweb/studies/${ctStudyUid(0)}/series/${ctSeriesUid(0, 0)}`;
    const paths = Array.from(
      { length: SLICES },
      (_, slice) => `${series}/instances/${ctInstanceUid(0, 0, slice)}`,
    );
    const ask = async (path: string): Promise<number> => {
      const { statusCode, body } = await pool.request({
        path,
        method: 'GET',
        headers: { accept: 'image/jpeg' },
      });
      const { byteLength } = await body.arrayBuffer();
      if (statusCode !== 200) throw new Error(`answered ${statusCode}`);
      return byteLength;
    };
    for (let attempt = 0; attempt < 100 && !(await ask(`${series}/thumbnail`).catch(() => 0)); attempt++)
      await sleep(100);
    const speed = (count: number, what: string) => async () => {
      let next = 0;
      const client = async () => {
        while (next < count) await ask(`${paths[next++ % SLICES]!}/${what}`);
      };
      const start = performance.now();
      await Promise.all(Array.from({ length: AT_ONCE }, client));
      return count / ((performance.now() - start) / 1000);
    };
    const rendered = speed(PICTURES, RENDERED);
    const delays: number[] = [];
    const measured = async () => {
      await server.memory();
      const perSecond = await rendered();
      delays.push((await server.memory()).delay);
      return perSecond;
    };
    const result = await alternate(
      { pictures: measured, thumbnails: speed(THUMBNAILS, 'thumbnail') },
      ROUNDS,
    );
    const one = async () => {
      const before = workedBy(server.pid);
      for (let at = 0; at < PICTURES; at++) await ask(`${paths[at % SLICES]!}/${RENDERED}`);
      return (workedBy(server.pid) - before) / PICTURES;
    };
    const pixels = await eightBits(
      await pool.request({
        path: `${paths[0]!}/${RENDERED}`,
        method: 'GET',
        headers: { accept: 'image/png' },
      }),
    );
    const cost = await alternate({ sharp: () => sharpAlone(pixels), ours: one }, ROUNDS);
    return [
      { what: 'rendered 512 × 512 CT, processor', value: cost.ours.median, unit: 'ms' },
      { what: '… beside sharp with the same 8-bit pixels', value: cost.ours.ratio, unit: '×', atMost: 3 },
      { what: '… bytes of the JPEG', value: (await ask(`${paths[0]!}/${RENDERED}`)) / 1000, unit: 'kB' },
      {
        what: 'rendered 512 × 512 CT, eight at once',
        value: result.pictures.median,
        unit: '/s',
        atLeast: 150,
      },
      { what: '… delay of the event loop meanwhile, p99', value: median(delays), unit: 'ms', atMost: 20 },
      { what: 'cached thumbnails', value: result.thumbnails.median, unit: '/s', atLeast: 2000 },
    ];
  } finally {
    await pool.close();
    server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Returns the shades of a picture in a format without loss. */
async function eightBits({ body }: Dispatcher.ResponseData): Promise<Buffer> {
  return sharp(Buffer.from(await body.arrayBuffer()))
    .toColourspace('b-w')
    .raw()
    .toBuffer();
}

/** Encodes shades as JPEG of the same quality; returns the milliseconds of processor for a picture. */
async function sharpAlone(pixels: Buffer): Promise<number> {
  const raw = { width: SIZE, height: SIZE, channels: 1 } as const;
  const all = async () => {
    for (let at = 0; at < PICTURES; at++) await sharp(pixels, { raw }).jpeg({ quality: 90 }).toBuffer();
  };
  return (await processorTime(all)) / PICTURES;
}

/** Draws a body with noise into the pixels of a slice: uniform pixels would be encoded in no time. */
async function drawSlice(images: string, slice: number): Promise<void> {
  const pixels = new Uint16Array(SIZE * SIZE);
  let seed = slice + 1;
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      seed = (seed * 1664525 + 1013904223) >>> 0;
      const distance = Math.hypot((x - SIZE / 2) / 200, (y - SIZE / 2) / 150);
      const organ = Math.sin(x / 17) * Math.sin(y / 23 + slice / 5) > 0.6 ? 80 : 0;
      pixels[y * SIZE + x] =
        distance < 1 ? 1050 + organ + (seed >>> 27) : distance < 1.05 ? 1900 : 24 + (seed >>> 28);
    }
  }
  const file = await open(join(images, 'study-0', 'series-0', `${slice}.dcm`), 'r+');
  try {
    const { size } = await file.stat();
    await file.write(new Uint8Array(pixels.buffer), 0, pixels.byteLength, size - pixels.byteLength);
  } finally {
    await file.close();
  }
}
