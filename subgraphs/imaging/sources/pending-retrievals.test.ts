import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { PendingRetrievals } from './pending-retrievals.ts';

/** Returns work that takes until `finish` is called, and counts its starts and aborts. */
function slow(fails = false) {
  const counts = { begun: 0, ended: 0 };
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const work = async (signal: AbortSignal) => {
    const own = ++counts.begun;
    signal.addEventListener('abort', () => counts.ended++);
    await finished;
    if (fails) throw new Error('failed');
    return own;
  };
  return { counts, work, finish };
}

const LATE = { code: 'unavailable', details: { retryAfter: 1 } };

describe('IA-27 a retrieval that takes longer than the timeout', () => {
  it('continues, and is given to the next identical request, but only once', async () => {
    const unfinished = new PendingRetrievals();
    const { counts, work, finish } = slow();
    await expect(unfinished.patiently('a', work, { seconds: 0.02 })).rejects.toMatchObject(LATE);
    await expect(unfinished.patiently('a', work, { seconds: 0.02 })).rejects.toMatchObject(LATE);
    const other = unfinished.patiently('b', work, { seconds: 10 });
    const next = unfinished.patiently('a', work, { seconds: 10 });
    finish();
    expect(await next).toBe(1);
    await other;
    expect(counts).toEqual({ begun: 2, ended: 0 });
    const again = slow();
    await expect(unfinished.patiently('a', again.work, { seconds: 0.02 })).rejects.toMatchObject(LATE);
    expect(again.counts).toEqual({ begun: 1, ended: 0 });
    unfinished.close();
    expect(again.counts.ended).toBe(1);
  });

  it('is started again after a failure', async () => {
    const unfinished = new PendingRetrievals();
    const { counts, work, finish } = slow(true);
    await expect(unfinished.patiently('a', work, { seconds: 0.01 })).rejects.toMatchObject(LATE);
    finish();
    await delay(10);
    await expect(unfinished.patiently('a', work, { seconds: 10 })).rejects.toThrow('failed');
    expect(counts.begun).toBe(2);
  });

  it('ends with the request that waits for it, not with one that was answered 503', async () => {
    const unfinished = new PendingRetrievals();
    const { counts, work, finish } = slow();
    const first = new AbortController();
    await expect(
      unfinished.patiently('a', work, { seconds: 0.01, request: first.signal }),
    ).rejects.toMatchObject(LATE);
    first.abort();
    expect(counts.ended).toBe(0);
    const second = new AbortController();
    const waiting = unfinished.patiently('a', work, { seconds: 10, request: second.signal });
    second.abort();
    expect(counts).toEqual({ begun: 1, ended: 1 });
    finish();
    await waiting;
  });

  it('causes no warning of a leak when one request waits for many', async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    const unfinished = new PendingRetrievals();
    const request = new AbortController();
    const { counts, work, finish } = slow();
    finish();
    const keys = Array.from({ length: 30 }, (_, index) => String(index));
    await Promise.all(
      keys.map((key) => unfinished.patiently(key, work, { seconds: 10, request: request.signal })),
    );
    process.off('warning', warned);
    expect(warnings).toEqual([]);
    request.abort();
    expect(counts).toEqual({ begun: 30, ended: 30 });
  });
});
