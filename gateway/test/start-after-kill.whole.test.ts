import { cp, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startChild, type Child } from './setup/child.ts';
import { BUILT_DEMO_IMAGES } from './setup/demo-images.ts';
import { freePort } from './setup/free-port.ts';
import { LONG } from './setup/long.ts';
import { workedBy } from './setup/processor-time.ts';

/** `npm start` after the process was killed: complete files are not made again. */

const root = join(import.meta.dirname, '../..');
let dataDir: string;
let running: Child | undefined;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'start-after-kill-'));
  // In the long run the first start makes the images. `main.test.ts` has such a start in every run.
  if (!LONG) await cp(BUILT_DEMO_IMAGES, join(dataDir, 'demo/images'), { recursive: true });
});
afterEach(async () => {
  await running?.end('SIGKILL');
  await rm(dataDir, { recursive: true, force: true });
});

interface Started {
  child: Child;
  url: string;
  /** Milliseconds that it has worked until it was ready. */
  worked: number;
}

async function start(): Promise<Started> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const ready = async () => (await bytesOf(`${url}/health/ready`)) > 0;
  const environment = [`PORT=${port}`, `BASE_URL=${url}`, `DATA_DIR=${dataDir}`, 'SHUTDOWN_DELAY_SECONDS=60'];
  const program = join(root, 'gateway/start.mjs');
  running = await startChild('/usr/bin/env', [...environment, process.execPath, program], ready, 120_000);
  return { child: running, url, worked: workedBy(running.process.pid!) };
}

/** Returns the length of an answer; 0 where it is not 200. */
async function bytesOf(url: string): Promise<number> {
  const { statusCode, body } = await request(url, { reset: true });
  const { length } = await body.text();
  return statusCode === 200 ? length : 0;
}

/** Lists the files that were made, with the time of writing; databases without the time. */
async function made(): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const entries = await readdir(dataDir, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !/-(wal|shm)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  for (const path of [...paths, join(root, 'dist/.build-hash')]) {
    const { ino, mtimeMs } = await stat(path);
    files[path] = path.endsWith('.sqlite') ? String(ino) : `${ino} ${mtimeMs}`;
  }
  return files;
}

test('a start after SIGKILL makes nothing again, and is as fast as any later start', async () => {
  const first = await start();
  const studies = `${first.url}/open/dicomweb/studies`;
  // Enough requests for the index of the folder and a thumbnail to be stored.
  await expect.poll(() => bytesOf(studies), { timeout: 20_000 }).toBeGreaterThan(0);
  const [study] = (await (await fetch(studies)).json()) as { '0020000D': { Value: [string] } }[];
  const thumbnail = `/open/dicomweb/studies/${study!['0020000D'].Value[0]}/thumbnail`;
  const size = await bytesOf(first.url + thumbnail);
  expect(size).toBeGreaterThan(0);
  await expect.poll(first.child.log, { timeout: 20_000 }).toContain('folder indexed');
  await first.child.end('SIGKILL');
  const before = await made();
  expect(
    Object.keys(before).filter((path) => /\.sqlite$|content-version$|\.build-hash$/.test(path)),
  ).toHaveLength(7);

  const killed = await start();
  expect(killed.child.log()).not.toMatch(/Building|demonstration images/);
  expect(await bytesOf(killed.url + thumbnail)).toBe(size);
  await expect.poll(killed.child.log, { timeout: 20_000 }).toMatch(/"read":0,.*folder indexed/);
  expect(await made()).toEqual(before);
  // The signal of Ctrl-C: there is no load balancer to wait for.
  await killed.child.end('SIGINT');
  expect(killed.child.process.exitCode).toBe(0);

  // In the short run the first start has nothing to make either.
  const other = LONG ? await start() : first;
  expect(killed.worked).toBeLessThan(2 * other.worked + 1000);
}, 300_000);
