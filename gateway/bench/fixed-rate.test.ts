import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { atFixedRate, quantile } from './fixed-rate.ts';

test.each([
  [[5], 0.99, 5],
  [[4, 1, 3, 2], 0.5, 2],
  [Array.from({ length: 200 }, (_, i) => i + 1), 0.99, 198],
])('of %j the part %d is at most %d', (values, part, expected) => {
  expect(quantile(values, part)).toBe(expected);
});

test('requests are sent in order, none before it is due', async () => {
  const sent: number[] = [];
  const { latencies, delays, answered } = await atFixedRate(
    { rate: 100, seconds: 0.2, connections: 4 },
    async (_, number) => sent.push(number),
  );
  expect(sent).toEqual(Array.from({ length: 20 }, (_, number) => number));
  expect(latencies).toHaveLength(20);
  expect(Math.min(...latencies, ...delays)).toBeGreaterThan(-0.01);
  // The last one is due after 190 ms.
  expect(answered).toBeLessThanOrEqual(20 / 0.19);
});

test('an answer that stalls counts for all requests that were due meanwhile', async () => {
  const { latencies, delays } = await atFixedRate(
    { rate: 100, seconds: 0.2, connections: 1 },
    async (_, number) => number === 0 && sleep(100),
  );
  // The second one was due after 10 ms, and had to wait for the first.
  expect(latencies[1]).toBeGreaterThan(80);
  expect(latencies[5]).toBeGreaterThan(40);
  expect(latencies[5]).toBeLessThan(latencies[1]!);
  // The client was not late: there was no connection.
  expect(delays[1]).toBeLessThan(50);
});

test('a connection has one request at a time', async () => {
  const busy = new Set<number>();
  await atFixedRate({ rate: 1000, seconds: 0.1, connections: 3 }, async (connection) => {
    expect(busy.has(connection)).toBe(false);
    busy.add(connection);
    await sleep(5);
    busy.delete(connection);
  });
});

test('a request that fails ends it', async () => {
  const failing = atFixedRate({ rate: 1000, seconds: 60, connections: 3 }, async (_, number) => {
    if (number === 5) throw new Error('refused');
  });
  await expect(failing).rejects.toThrow('refused');
});
