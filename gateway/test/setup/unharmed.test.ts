import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startChild, type Child } from './child.ts';
import { freePort } from './free-port.ts';
import { expectUnharmed, harmOf, type Harm, type WatchedGateway } from './unharmed.ts';

/** A server whose event loop is blocked by work for the milliseconds in the address; `/health/live` is answered at once. */
const SERVER = `require('node:http').createServer(({ url }, response) => {
  const worked = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
  for (const end = worked() + Number(url.split('/work/')[1] ?? 0); worked() < end;);
  response.end();
}).listen(Number(process.argv[1]), '127.0.0.1')`;

const folder = mkdtempSync(join(tmpdir(), 'unharmed-'));
let child: Child;
let server: WatchedGateway;
const get = async (path: string) => (await request(server.url + path)).body.dump();

beforeAll(async () => {
  const socket = join(folder, 'event-loop');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const watch = `--import=${new URL('event-loop-watch.mjs', import.meta.url).href}`;
  const program = [`WATCH_SOCKET=${socket}`, process.execPath, watch, '-e', SERVER, String(port)];
  child = await startChild('/usr/bin/env', program, async () => (await request(url)).statusCode === 200);
  server = {
    url,
    dataDir: folder,
    pid: child.process.pid!,
    log: child.log,
    stop: () => child.end(),
    watched: async () => (await json(connect(socket))) as Awaited<ReturnType<WatchedGateway['watched']>>,
  };
});
afterAll(async () => {
  await child?.end();
  rmSync(folder, { recursive: true });
});

test('an idle server is unharmed', async () => {
  const harm = await harmOf(server, () => delay(500));
  expectUnharmed(harm);
  expect(harm.wait).toBeGreaterThan(0);
});

test('a server that gets no processor for a while is unharmed', async () => {
  const stopped = async () => {
    process.kill(server.pid, 'SIGSTOP');
    await delay(400);
    process.kill(server.pid, 'SIGCONT');
    await delay(100);
  };
  expectUnharmed(await harmOf(server, stopped));
});

test('work that blocks the event loop is harm: to the loop, and to those who wait', async () => {
  const harm = await harmOf(server, () => get('/work/200'));
  expect(harm.held).toBeGreaterThan(150);
  expect(harm.wait).toBeGreaterThan(110);
  expect(() => expectUnharmed(harm)).toThrow();
});

const UNHARMED: Harm = { held: 3, wait: 5, growth: 10, failures: 0 };

test.each<[string, Partial<Harm>]>([
  ['a blocked event loop', { held: 51 }],
  ['a long wait', { wait: 101 }],
  ['memory', { growth: 351 }],
  ['a failed request', { failures: 1 }],
])('%s is harm', (_, harm) => {
  expect(() => expectUnharmed({ ...UNHARMED, ...harm })).toThrow();
});

test('values within the bounds are no harm', () => expectUnharmed(UNHARMED));
