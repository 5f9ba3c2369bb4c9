import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Fault, type FaultCode } from '../fault/fault.ts';
import { CircuitBreaker, type OpenCircuit } from './circuit-breaker.ts';

beforeEach(
  () =>
    void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance', 'Date'] }),
);
afterEach(() => void vi.useRealTimers());

const fault = (code: FaultCode, errno: string) =>
  new Fault(code, 'the first failure', {
    retryAfter: 5,
    cause: Object.assign(new Error(errno), { code: errno }),
  });
const REFUSED = () => Promise.reject(fault('unavailable', 'ECONNREFUSED'));
const HANGS = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

/** Opens a breaker whose source answers probes as `answer` says, and notes when each began and ended, in seconds. */
function started(answer: (signal: AbortSignal) => Promise<unknown>) {
  const source = { answer };
  const changes: (OpenCircuit | undefined)[] = [];
  const probes: { begun: number; ended?: number }[] = [];
  const start = performance.now();
  const now = () => Math.round((performance.now() - start) / 100) / 10;
  const breaker = new CircuitBreaker({ onChange: (change) => changes.push(change) });
  breaker.probeBy((signal) => {
    const probe: (typeof probes)[number] = { begun: now() };
    probes.push(probe);
    return source.answer(signal).finally(() => (probe.ended = now()));
  });
  return { breaker, changes, probes, source, begun: () => probes.map(({ begun }) => begun) };
}

const code = (call: Promise<unknown>) => call.then(String, (error: Fault) => error.code);

test('a refused connection opens it; calls then have the same failure, and do not reach the source', async () => {
  const { breaker, changes } = started(REFUSED);
  expect(await code(breaker.run(REFUSED))).toBe('unavailable');
  const work = vi.fn();
  await expect(breaker.run(work)).rejects.toMatchObject({
    message: 'the first failure',
    details: { retryAfter: 5, isLogged: true },
  });
  expect(work).not.toHaveBeenCalled();
  expect(changes).toHaveLength(1);
});

test('a source that nobody asks for is probed after 1, 2, 4 … 30 s', async () => {
  const { breaker, begun } = started(REFUSED);
  await code(breaker.run(REFUSED));
  await vi.advanceTimersByTimeAsync(100_000);
  expect(begun()).toEqual([1, 3, 7, 15, 31, 61, 91]);
});

test('a source that is asked for is probed every 4 s at least', async () => {
  const { breaker, begun } = started(REFUSED);
  await code(breaker.run(REFUSED));
  for (let i = 0; i < 200; i++) {
    await code(breaker.run(REFUSED));
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(begun()).toEqual([1, 3, 7, 11, 15, 19]);
});

test('an answer to a probe closes it', async () => {
  const { breaker, changes, source } = started(REFUSED);
  await code(breaker.run(REFUSED));
  source.answer = async () => 'rows';
  await vi.advanceTimersByTimeAsync(1000);
  expect(breaker.open).toBeUndefined();
  expect(await breaker.run(async () => 'rows')).toBe('rows');
  expect(changes).toEqual([expect.objectContaining({ state: 'open' }), undefined]);
});

test('a late call opens it after a probe without an answer; running calls are ended', async () => {
  const { breaker, begun } = started(HANGS);
  const running = code(breaker.run(HANGS));
  breaker.late();
  breaker.late();
  await vi.advanceTimersByTimeAsync(499);
  expect(breaker.open).toBeUndefined();
  await vi.advanceTimersByTimeAsync(2);
  expect(breaker.open).toMatchObject({ state: 'half-open' });
  expect(await running).toBe('unavailable');
  expect(begun()).toEqual([0]);
});

test('a late call of a source that answers a probe opens nothing: a slow retrieval goes on', async () => {
  const { breaker, changes } = started(async () => []);
  const running = code(
    breaker.run((signal) => Promise.race([HANGS(signal), new Promise((done) => setTimeout(done, 5000))])),
  );
  breaker.late();
  await vi.advanceTimersByTimeAsync(5000);
  expect(await running).toBe('undefined');
  expect(changes).toEqual([]);
});

test('a late source that answers soon after it counted as away was slow, and gets twice its time from then on', async () => {
  const { breaker, changes, source } = started(() => new Promise((done) => setTimeout(done, 1500)));
  breaker.late();
  await vi.advanceTimersByTimeAsync(2000);
  expect(changes).toHaveLength(2);
  breaker.late();
  await vi.advanceTimersByTimeAsync(2000);
  expect(changes).toHaveLength(2);
  source.answer = HANGS;
  breaker.late();
  await vi.advanceTimersByTimeAsync(3100);
  expect(breaker.open).toBeDefined();
  // After a real outage it has no more time than before.
  await vi.advanceTimersByTimeAsync(60_000);
  source.answer = async () => [];
  await vi.advanceTimersByTimeAsync(60_000);
  source.answer = HANGS;
  breaker.late();
  await vi.advanceTimersByTimeAsync(3100);
  expect(breaker.open).toBeDefined();
});

test.each<[string, () => unknown]>([
  ['an answer of any status', () => fault('bad_gateway', '401')],
  ['a missing object', () => new Fault('not_found', 'x')],
  ['a busy archive', () => new Fault('unavailable', 'x')],
  ['a broken connection', () => fault('unavailable', 'ECONNRESET')],
  ['a lack of sockets here', () => fault('unavailable', 'EMFILE')],
])('%s opens nothing', async (_what, error) => {
  const { breaker, probes } = started(HANGS);
  await code(breaker.run(() => Promise.reject(error() as Error)));
  await vi.advanceTimersByTimeAsync(10_000);
  expect([breaker.open, probes]).toEqual([undefined, []]);
});

test('a late answer to an earlier request closes it', async () => {
  const { breaker } = started(REFUSED);
  await code(breaker.run(REFUSED));
  breaker.answered();
  expect(await breaker.run(async () => 'rows')).toBe('rows');
});

test('at most two probes run: a new one, and one that waits for a source that is slow', async () => {
  const { breaker, probes } = started(HANGS);
  breaker.late();
  await vi.advanceTimersByTimeAsync(1000);
  for (let i = 0; i < 18; i++) {
    await code(breaker.run(HANGS));
    await vi.advanceTimersByTimeAsync(1000);
    expect(probes.filter(({ ended }) => ended === undefined).length).toBeLessThanOrEqual(2);
  }
  expect(probes.length).toBeGreaterThan(4);
  expect(probes[0]!.ended).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1000);
  expect(probes[0]!.ended).toBe(20);
});

test('a call leaves no listener at its caller, whose leaving ends what the call has begun', async () => {
  const caller = new AbortController();
  const ends = await new CircuitBreaker().run(async (signal) => signal, caller.signal);
  expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  caller.abort(new Error('left'));
  expect(ends.reason).toEqual(new Error('left'));
});
