/** The memory of the decoders, which no collector of garbage gives back: it may not grow with every frame. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildPage, type EnginePage } from './engine/engine-page.ts';
import { EngineSystem } from './engine/engine-system.ts';

const system = new EngineSystem();

/** Goes before what a worker runs: makes known the memories of its WebAssembly. */
const MEMORIES = `
  globalThis.memories = [];
  for (const name of ['instantiate', 'instantiateStreaming']) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (...all) => {
      const answer = await original(...all);
      const { exports } = answer.instance ?? answer;
      memories.push(...Object.values(exports).filter((value) => value instanceof WebAssembly.Memory));
      return answer;
    };
  }
`;

async function makeMemoriesKnown({ context, page }: EnginePage): Promise<void> {
  const folder = await buildPage();
  await context.route('**/engine-page/assets/decode-worker*', (route) => {
    const file = join(folder, new URL(route.request().url()).pathname.split('/engine-page/')[1]!);
    return route.fulfill({ body: MEMORIES + readFileSync(file, 'utf8'), contentType: 'text/javascript' });
  });
  await page.reload();
  await page.waitForFunction(() => 'page' in window);
}

/** Returns the bytes of the largest memory of WebAssembly of all decoders. */
async function largest({ page }: EnginePage): Promise<number> {
  const each = page
    .workers()
    .filter((worker) => worker.url().includes('decode-worker'))
    .map((worker) => worker.evaluate('memories.map(({ buffer }) => buffer.byteLength)') as Promise<number[]>);
  return Math.max(...(await Promise.all(each)).flat());
}

async function scroll(page: EnginePage, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) {
    await page.want(index);
    await page.shows(index);
  }
}

test('a decoder of HTJ2K keeps the memory of one frame, however many it has decoded', async () => {
  await using page = await system.open(system.ct, { index: 0, query: '?htj2k', before: makeMemoriesKnown });
  await scroll(page, 0, 20);
  const few = await largest(page);
  expect(few).toBeGreaterThan(1e6);
  await scroll(page, 20, 180);
  expect(await largest(page)).toBe(few);
}, 60_000);
