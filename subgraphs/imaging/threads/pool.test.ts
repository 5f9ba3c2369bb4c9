import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { PixelPool } from './pool.ts';

const PIXELS: PixelDescription = {
  rows: 2,
  columns: 2,
  samplesPerPixel: 1,
  bitsAllocated: 16,
  bitsStored: 12,
  highBit: 11,
  pixelRepresentation: 1,
  planarConfiguration: 0,
  photometricInterpretation: 'MONOCHROME2',
  numberOfFrames: 1,
};
const native = () => ({
  encoded: new Uint8Array([0, 0, 1, 0, 0xff, 0xff, 0x00, 0x08]),
  transferSyntax: TransferSyntax.ExplicitVRLittleEndian,
  pixels: PIXELS,
});

/** Returns a frame of noise, which takes a lossless encoder seconds. */
const slow = (side = 4096) => {
  const pixels: PixelDescription = { ...PIXELS, rows: side, columns: side, bitsStored: 16, highBit: 15 };
  const encoded = new Uint8Array(randomBytes(side * side * 2));
  return { encoded, pixels, transferSyntax: native().transferSyntax, to: TransferSyntax.JPEG2000Lossless };
};

describe('PixelPool', () => {
  const pool = new PixelPool({ threads: 1, queue: 1 });
  afterAll(() => pool.close());

  test('decodes in a thread, and transfers buffers without a copy', async () => {
    const input = native();
    const frame = await pool.run('decode', input);
    expect(frame.samples).toEqual(new Int16Array([0, 1, -1, -2048]));
    expect(input.encoded.byteLength).toBe(0);
  });

  test('says why a damaged frame is refused', async () => {
    const short = { ...native(), encoded: new Uint8Array(7) };
    await expect(pool.run('decode', short)).rejects.toMatchObject({
      code: 'bad_gateway',
      message: expect.stringContaining('shorter than the header promises'),
    });
  });

  test('answers 503 with Retry-After when too many tasks wait, and runs the others', async () => {
    const [first, second, third] = [1, 2, 3].map(() => pool.run('decode', native()));
    await expect(third).rejects.toMatchObject({ code: 'unavailable', details: { retryAfter: 2 } });
    await expect(Promise.all([first, second])).resolves.toHaveLength(2);
  });

  test('answers a caller who leaves at once, and frees its place in the queue', async () => {
    const running = pool.run('transcode', slow(1024));
    const leaving = new AbortController();
    const waiting = pool.run('decode', native(), leaving.signal);
    leaving.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    await expect(pool.run('decode', native())).resolves.toBeDefined();
    await running;
  });
});

test('ends the thread of a task that runs too long, and runs the next task in another', async () => {
  const pool = new PixelPool({ threads: 1, timeout: 2000 });
  await expect(pool.run('transcode', slow())).rejects.toMatchObject({
    code: 'bad_gateway',
    message: expect.stringContaining('too long'),
  });
  // On a busy machine the next thread may start too late for one.
  const next = () => pool.run('decode', native());
  await vi.waitFor(async () => expect(await next()).toMatchObject({ rows: 2 }), { timeout: 30_000 });
  await pool.close();
});

describe('DW-12 a thread that ends', () => {
  const started = () =>
    new PixelPool({ threads: 1, worker: new URL('../pixels/test/ending-worker.ts', import.meta.url) });
  const pool = started();
  afterAll(() => pool.close());
  const run = (name: string, input?: unknown) => pool.run(name as never, input as never);

  test.each([
    ['exit', 0],
    ['exit', 1],
    ['trap', undefined],
    ['throw out of the task', undefined],
  ])('with %s %s answers 500 for its task, and other tasks run', async (name, input) => {
    const [ended, waiting] = await Promise.allSettled([run(name, input), run('echo', 7)]);
    expect(ended).toMatchObject({
      reason: { code: 'internal', message: expect.stringContaining('retrieve it as stored') },
    });
    expect(waiting).toMatchObject({ value: 7 });
    await expect(run('echo', 8)).resolves.toBe(8);
  });

  test('between two tasks is replaced for the next one', async () => {
    const other = started();
    const ended = once(process, 'worker').then(([worker]: Worker[]) => once(worker!, 'exit'));
    await expect(other.run('exit afterwards' as never, 1 as never)).resolves.toBe(1);
    await ended;
    await expect(other.run('echo' as never, 8 as never)).resolves.toBe(8);
    await other.close();
  });
});

test('DW-24 reads the input of a task when there is room, and runs heavy and light tasks side by side', async () => {
  const pool = new PixelPool({ threads: 1 });
  const heavy = { weight: 200 * 1024 * 1024, input: vi.fn(async () => slow(512)) };
  const tasks = [heavy, heavy].map((task) => pool.runPrepared('transcode', task));
  await new Promise((resolve) => setImmediate(resolve));
  expect(heavy.input).toHaveBeenCalledTimes(1);
  await expect(pool.run('decode', native())).resolves.toBeDefined();
  await expect(Promise.all(tasks)).resolves.toHaveLength(2);
  expect(heavy.input).toHaveBeenCalledTimes(2);
  await pool.close();
});

test('refuses running, waiting and new tasks when the pool is closed', async () => {
  const pool = new PixelPool({ threads: 1 });
  const running = pool.run('transcode', slow());
  const waiting = pool.run('transcode', slow());
  const outcomes = Promise.allSettled([running, waiting]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await pool.close();
  for (const outcome of await outcomes)
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
  await expect(pool.run('decode', native())).rejects.toMatchObject({ code: 'unavailable' });
});
