import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startServer, type ImagingServer } from '../../../gateway/test/setup/imaging-server.ts';
import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { PixelPool } from '../threads/pool.ts';
import { imageObject, SMALL } from '../../../gateway/test/setup/image-object.ts';

/** Full disks, files that change while they are read, threads that die. */

const EXPLICIT = TransferSyntax.ExplicitVRLittleEndian;
const LARGE = { ...SMALL, rows: 8000, columns: 8000 };
const directory = mkdtempSync(join(tmpdir(), 'faults-'));
const folder = join(directory, 'folder');
const data = join(directory, 'data');
let server: ImagingServer;

const put = (uid: string, bytes: number): void =>
  writeFileSync(
    join(folder, `${uid}.dcm`),
    imageObject(uid, EXPLICIT, LARGE, Buffer.alloc(64_000_000, bytes)),
  );
// Keep-alive: if the connection is to close, undici 7.25 takes a cut answer for a complete one.
const get = (uid: string, path: string) =>
  request(`${server.address}/bench/dicomweb/studies/${uid}${path}`, {
    headers: {
      accept: path === '' ? 'multipart/related; type="application/dicom"; transfer-syntax=*' : '*/*',
    },
  });
const series = (uid: string) => `/series/${uid}.1/instances/${uid}.1.1`;

beforeAll(async () => {
  mkdirSync(folder);
  writeFileSync(join(folder, 'small.dcm'), imageObject('1.2.3', EXPLICIT, SMALL, Buffer.alloc(16)));
  for (const uid of ['1.2.4', '1.2.5', '1.2.6']) put(uid, 1);
  server = await startServer({ type: 'folder', lookup: 'all-studies-on-server', path: folder }, data);
  await vi.waitFor(async () => expect((await get('1.2.6', '/metadata')).statusCode).toBe(200), 30_000);
}, 60_000);
afterAll(() => {
  server.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Limits every file of the server to these bytes, which works like a full disk. */
function limitFiles(bytes: string): void {
  execFileSync('prlimit', ['--pid', String(server.pid), `--fsize=${bytes}:unlimited`]);
}

test('DW-9 answers thumbnails with a full disk, but does not cache them', async () => {
  const thumbnails = join(data, 'thumbnails');
  const kept = () => readdirSync(thumbnails).length;
  const ask = async () => {
    const answer = await get('1.2.3', '/thumbnail');
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    return [answer.statusCode, bytes.toString('hex', 0, 2)];
  };
  limitFiles('10');
  try {
    expect(await ask()).toEqual([200, 'ffd8']);
    expect(kept()).toBe(0);
    // Everything else is served, too: metadata are kept in memory.
    for (const path of ['/metadata', '/rendered', `${series('1.2.3')}/frames/1`, ''])
      expect((await get('1.2.3', path)).statusCode).toBe(200);
  } finally {
    limitFiles('unlimited');
  }
  expect(await ask()).toEqual([200, 'ffd8']);
  expect(kept()).toBe(1);
});

/** Retrieves a study of 64 MB, and changes its file after the first bytes. */
async function whileStreaming(uid: string, change: () => void): Promise<'cut' | Buffer> {
  const { statusCode, body } = await get(uid, '');
  expect(statusCode).toBe(200);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body) {
      if (chunks.length === 0) change();
      chunks.push(chunk as Buffer);
    }
  } catch {
    return 'cut';
  }
  return Buffer.concat(chunks);
}

/** Returns the different pixel values of an answer; those of one file are all equal. */
function kinds(body: Buffer): number[] {
  const pixels = body.subarray(2000, 60_000_000);
  return Array.from({ length: 256 }, (_, value) => value).filter((value) => pixels.includes(value));
}

test('DW-13 a file truncated while it is read cuts the answer; the next answer is 404 or 503', async () => {
  const path = join(folder, '1.2.4.dcm');
  expect(await whileStreaming('1.2.4', () => truncateSync(path, 1_000_000))).toBe('cut');
  const next = await get('1.2.4', '');
  expect([404, 503]).toContain(next.statusCode);
  await next.body.dump();
});

test('DW-13 a file deleted or replaced while it is read is given whole, as it was before', async () => {
  const path = join(folder, '1.2.5.dcm');
  const whole = await whileStreaming('1.2.5', () => {
    rmSync(path);
    put('1.2.5', 2);
  });
  expect(kinds(whole as Buffer)).toEqual([1]);
  await vi.waitFor(async () => {
    const next = await get('1.2.5', '');
    expect(next.statusCode).toBe(200);
    expect(kinds(Buffer.from(await next.body.arrayBuffer()))).toEqual([2]);
  }, 15_000);
});

test('DW-13 a file overwritten in place while it is read never gives a mixture', async () => {
  const body = await whileStreaming('1.2.6', () => put('1.2.6', 2));
  if (body !== 'cut') expect(kinds(body)).toHaveLength(1);
});

test('a thread that runs out of memory is replaced: its request is refused, the next one is answered', async () => {
  const pool = new PixelPool({ threads: 1 });
  const task = { transferSyntax: EXPLICIT, pixels: SMALL };
  try {
    // More text than the heap of a thread may hold: the copy of each value has its own.
    const Value = Array<string>(1500).fill('x'.repeat(400_000));
    const frame = { number: 1, bytes: new Uint8Array(16), attributes: { '00281050': { vr: 'DS', Value } } };
    const size = { width: 4, height: 4 };
    const render = { ...task, frames: [frame], type: 'image/png' as const, size };
    await expect(pool.run('render', render)).rejects.toMatchObject({
      code: 'bad_gateway',
      message: /too much memory/,
    });
    expect((await pool.run('decode', { ...task, encoded: new Uint8Array(16) })).samples).toHaveLength(16);
  } finally {
    await pool.close();
  }
}, 60_000);
