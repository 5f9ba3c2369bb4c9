import { availableParallelism } from 'node:os';
import { expect, it, vi } from 'vitest';
import { PixelPool } from './pool.ts';
import { ParsingThreads } from './parsing-threads.ts';

it('DW-24 copies the input of a task when it starts, not while it waits', async () => {
  const ends: (() => void)[] = [];
  vi.spyOn(PixelPool.prototype, 'run').mockImplementation(
    () => new Promise((resolve) => ends.push(() => resolve([] as never))),
  );
  const threads = new ParsingThreads();
  const input = vi.fn(() => ({
    rows: new Uint8Array(8),
    isPacked: true,
    base: '',
    selections: new Map(),
    maxBytes: 8,
  }));
  const count = availableParallelism() + 3;
  const tasks = Array.from({ length: count }, () => threads.run('selectAttributes', input));
  await vi.waitFor(() => expect(ends).toHaveLength(availableParallelism()), 10_000);
  expect(input).toHaveBeenCalledTimes(availableParallelism());
  for (let ended = 0; ended < count; ended++) {
    await vi.waitFor(() => expect(ends.length).toBeGreaterThan(ended), 10_000);
    ends[ended]!();
  }
  await Promise.all(tasks);
  expect(input).toHaveBeenCalledTimes(count);
  await threads.close();
});
