import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Fault } from '../../../schema/fault/fault.ts';
import { BOMBS } from '../test/hostile-statements.ts';
import { startAsking, type Asking } from '../test/reach.ts';
import { SENTENCES } from './finding.ts';

const MEGABYTE = 2 ** 20;

let asking: Asking;
beforeAll(async () => {
  asking = await startAsking({ first: 5000 });
});
afterAll(() => asking.close());

/** Returns the process of queries to a reach, and how much memory it has. */
function processOf(reach: string): { pid: string; rss: number } | undefined {
  for (const pid of readdirSync('/proc'))
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(reach)) continue;
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return { pid, rss: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024 };
    } catch {
      // It has ended meanwhile, or is no process.
    }
  return undefined;
}

test.each(Object.entries(BOMBS))(
  'a query that takes %s is ended with 422, and the next is answered',
  async (_what, sql) => {
    let most = 0;
    const looking = setInterval(() => (most = Math.max(most, processOf(asking.reach)?.rss ?? 0)), 20);
    const fault = await asking.read(sql).then(
      () => undefined,
      (error: unknown) => error as Fault,
    );
    clearInterval(looking);
    expect(fault).toMatchObject({
      code: 'unprocessable',
      message: expect.stringMatching(/^(Line 1: )?.{10,200}$/),
    });
    // A look comes each 50 ms; what is taken between two of them is more.
    expect(most).toBeLessThan(1500);
    await expect.poll(() => asking.read('SELECT 1 AS x').catch(() => '')).toBe('{"x":1}\n');
  },
);

test('a bomb of memory is called so', async () => {
  const patient = await startAsking({ first: 120_000 });
  const asked = patient.read('SELECT length(list(i)) FROM range(2000000000) t(i)');
  await expect(asked).rejects.toMatchObject({ message: SENTENCES.memory });
  await patient.close();
}, 150_000);

test('a reader that stops does not grow the memory, here or there, and gets all rows when it goes on', async () => {
  const { body, ended } = await asking.ask("SELECT i, repeat('x', 200) AS x FROM range(2000000) t(i)");
  const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let bytes = (await iterator.next()).value!.length as number;
  await sleep(1000);
  const before = { here: process.memoryUsage.rss(), there: processOf(asking.reach)!.rss };
  await sleep(3000);
  expect(process.memoryUsage.rss() - before.here).toBeLessThan(50 * MEGABYTE);
  expect(processOf(asking.reach)!.rss - before.there).toBeLessThan(50);
  for (let part = await iterator.next(); !part.done; part = await iterator.next())
    bytes += (part.value as Buffer).length;
  expect(bytes).toBeGreaterThan(400_000_000);
  expect(await ended).toEqual({ rows: 2_000_000 });
});
