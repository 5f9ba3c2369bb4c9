import { expect, test } from 'vitest';
import { AT, bench, EXPLICIT, JPEG, stackOf, tick } from '../../test/store-bench.ts';
import type { ImageSource } from '../data/source.ts';
import { Trouble } from '../data/trouble.ts';
import { FrameStore } from './frame-store.ts';
import { processorTime } from '../../../gateway/test/setup/processor-time.ts';

test('nothing is loaded before a view wants it', () => {
  const { asked, store } = bench();
  expect([asked, store.state('f0')]).toEqual([[], { at: 'absent' }]);
});

test('the wanted frame comes first and alone, then its neighbours; the states and counts say so', async () => {
  const { store, stack, aim, give, loading } = bench();
  aim(5);
  expect([loading(), store.state('f5').at, store.state('f6').at]).toEqual(['f5', 'loading', 'queued']);
  await give('f5');
  expect(loading()).toBe('f6 f7 f8');
  expect(store.state('f5').at).toBe('ready');
  expect(store.bytes('f5')?.bytes.length).toBe(4);
  expect(store.counts(stack)).toEqual({ ready: 1, failed: 0, all: 20 });
  for (const id of ['f6', 'f7', 'f8']) await give(id);
  expect(loading()).toBe('f4 f9 f10');
});

test('read-ahead is aimed anew at each step, in the direction of scrolling, and a jump ends it', async () => {
  const { aim, give, loading, asked } = bench(stackOf(100));
  aim(50);
  await give('f50');
  aim(49);
  await give('f49');
  for (const id of loading().split(' ')) await give(id);
  expect(loading()).toBe('f47 f46 f45');
  aim(0);
  expect(loading()).toBe('f0');
  const before = asked.length;
  await give('f0');
  expect(asked.slice(before)).toEqual(['f1', 'f2', 'f3']);
});

test('what nobody wants is cancelled when the view closes; the stack is forgotten when it is removed', async () => {
  const { store, stack, aim, give, loading, remove } = bench();
  aim(0);
  await give('f0');
  store.aim('view' as unknown as object, undefined);
  expect([loading(), store.state('f0').at]).toEqual(['', 'ready']);
  remove();
  expect([store.bytesKept, store.state('f0').at, store.counts(stack).ready]).toEqual([0, 'absent', 0]);
});

test('frames that two stacks have stay until both are removed, as when a series grows', async () => {
  const { store, aim, give, remove } = bench(stackOf(3));
  aim(0);
  await give('f0');
  const grown = stackOf(4);
  const removeGrown = store.add(grown, AT);
  remove();
  expect(store.counts(grown)).toEqual({ ready: 1, failed: 0, all: 4 });
  removeGrown();
  expect(store.bytesKept).toBe(0);
});

test('bytes are bounded: the farthest go first, and are not loaded again', async () => {
  const { store, aim, give, loading, asked } = bench(stackOf(20), { maxBytes: 16 });
  const loadAll = async () => {
    while (loading()) for (const id of loading().split(' ')) await give(id);
  };
  aim(0);
  await loadAll();
  expect([asked.join(' '), store.bytesKept]).toEqual(['f0 f1 f2 f3', 16]);
  aim(10);
  await loadAll();
  expect(store.bytesKept).toBeLessThanOrEqual(16);
  expect(
    ['f9', 'f10', 'f11', 'f12', 'f13'].map((id) => store.state(id).at).filter((at) => at === 'ready'),
  ).toHaveLength(4);
  expect(store.state('f0').at).toBe('absent');
  expect(asked).toHaveLength(8);
});

test('frames that are longer than expected do not load and drop each other for ever', async () => {
  const { store, aim, give, loading, asked } = bench(stackOf(20), { maxBytes: 16 });
  aim(0);
  while (loading()) await give(loading().split(' ')[0]!, 10, JPEG);
  expect(store.bytesKept).toBe(10);
  expect(asked.length).toBeLessThanOrEqual(4);
});

test.each([
  ['short', 3, EXPLICIT, 'failed'],
  ['long', 5, EXPLICIT, 'failed'],
  ['empty, compressed', 0, JPEG, 'failed'],
  ['compressed', 3, JPEG, 'ready'],
  ['right', 4, EXPLICIT, 'ready'],
])('a frame that is %s (%i bytes) is never taken for another', async (_, length, syntax, at) => {
  const { store, aim, give, loading } = bench();
  aim(0);
  await give('f0', length, syntax);
  const state = store.state('f0');
  expect(state).toMatchObject(at === 'failed' ? { at, trouble: { kind: 'damaged' } } : { at });
  expect(loading()).toBe('f1 f2 f3');
});

test('503: nothing is asked of that server until the time is over, then one request, then all', async () => {
  const { store, aim, give, fail, loading, asked, pass } = bench();
  aim(0);
  await give('f0');
  const busy = new Trouble('busy', '', { status: 503, retryAfter: 5000 });
  for (const id of ['f1', 'f2', 'f3']) await fail(id, busy);
  expect(loading()).toBe('');
  aim(1);
  expect(store.state('f1')).toEqual({ at: 'queued', waits: { trouble: busy, until: 5000 } });
  pass(4999);
  expect(asked).toHaveLength(4);
  pass(1);
  expect(loading()).toBe('f1');
  await fail('f1', busy);
  pass(4999);
  expect(loading()).toBe('');
  pass(1);
  await give('f1');
  expect(loading()).toBe('f2 f3 f4');
  expect(asked).toHaveLength(9);
});

test('503: an answer that was under way does not end the wait', async () => {
  const { aim, give, fail, loading, pass } = bench();
  aim(0);
  await give('f0');
  await fail('f1', new Trouble('busy', '', { retryAfter: 5000 }));
  await give('f2');
  await give('f3');
  expect(loading()).toBe('');
  pass(5000);
  expect(loading()).toBe('f1');
});

test('503 without Retry-After: the waits grow, to half a minute at most', async () => {
  const { aim, fail, asked, pass } = bench();
  aim(0);
  const waits: number[] = [];
  for (let turn = 0; turn < 8; turn++) {
    await fail('f0', new Trouble('busy', ''));
    const before = asked.length;
    let wait = 0;
    while (asked.length === before) {
      pass(500);
      wait += 500;
    }
    waits.push(wait);
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
});

test('a server that is busy does not stop another', async () => {
  const { store, aim, fail, loading } = bench();
  const other = stackOf(2, 'g');
  store.add(other, { dicomweb: 'https://other.example.org' });
  aim(0);
  await fail('f0', new Trouble('busy', '', { retryAfter: 5000 }));
  store.aim('other' as unknown as object, { stack: other, index: 0 });
  expect(loading()).toBe('g0');
});

test('offline: the browser’s event, or a slow request, ends the wait', async () => {
  const { store, aim, give, fail, loading, goOnline, pass } = bench();
  aim(0);
  await fail('f0', new Trouble('offline', ''));
  expect(store.state('f0')).toMatchObject({ at: 'queued', waits: { trouble: { kind: 'offline' } } });
  goOnline();
  expect(loading()).toBe('f0');
  await fail('f0', new Trouble('offline', ''));
  pass(2000);
  expect(loading()).toBe('f0');
  await give('f0');
  expect(store.state('f0').at).toBe('ready');
});

test('signed out: nothing is asked until the user tries again', async () => {
  const { store, aim, fail, loading, pass } = bench();
  aim(0);
  await fail('f0', new Trouble('signed-out', ''));
  pass(1e9);
  expect(loading()).toBe('');
  store.retry('f0');
  expect(loading()).toBe('f0');
});

test.each([
  ['an error of the server', new Trouble('server', '', { status: 500 }), 'server'],
  ['no such frame', new Trouble('not-found', '', { status: 404 }), 'not-found'],
  ['an error of the program', new TypeError('x is not a function'), 'server'],
])('%s: the frame fails, the rest goes on, and the user can try again', async (_, error, kind) => {
  const { store, stack, aim, give, fail, loading } = bench();
  aim(0);
  await fail('f0', error);
  expect(store.state('f0')).toMatchObject({ at: 'failed', trouble: { kind } });
  expect(loading()).toBe('f1 f2 f3');
  expect(store.counts(stack)).toMatchObject({ failed: 1 });
  store.retry('f0');
  await give('f0');
  expect(store.counts(stack)).toMatchObject({ ready: 1, failed: 0 });
});

test('a server that fails is not hammered: read-ahead ends after three failures, until a frame arrives', async () => {
  const { store, aim, give, fail, loading, asked } = bench(stackOf(200));
  const broken = new Trouble('server', '', { status: 500 });
  aim(100);
  while (loading()) for (const id of loading().split(' ')) await fail(id, broken);
  expect(asked.length).toBeLessThanOrEqual(7);
  aim(101 + asked.length);
  expect(loading()).not.toBe('');
  await give(loading());
  expect(loading().split(' ')).toHaveLength(3);
  expect(store.state('f100').at).toBe('failed');
});

test('a frame that its decoder refuses is failed, and its bytes are gone', async () => {
  const { store, stack, aim, give } = bench();
  aim(0);
  await give('f0');
  store.refuse('f0', new Trouble('undecodable', ''));
  expect(store.state('f0')).toMatchObject({ at: 'failed', trouble: { kind: 'undecodable' } });
  expect([store.bytesKept, store.counts(stack)]).toEqual([0, { ready: 0, failed: 1, all: 20 }]);
});

test('listeners hear of many changes once', async () => {
  const { store, aim, give } = bench(stackOf(2000), { maxRequests: 6 });
  let heard = 0;
  store.subscribe(() => heard++);
  aim(0);
  aim(1);
  aim(2);
  await tick();
  expect(heard).toBe(1);
  await give('f2');
  expect(heard).toBe(2);
});

test('a series of 2,000 frames loads in little time of the processor', async () => {
  const stack = stackOf(2000);
  const source = {
    frame: () => Promise.resolve({ bytes: new Uint8Array(4), transferSyntax: EXPLICIT }),
  } as unknown as ImageSource;
  const store = new FrameStore(source);
  store.add(stack, AT);
  store.aim(stack, { stack, index: 1000 });
  const load = async () => {
    while (store.counts(stack).ready < 2000) await tick();
  };
  expect(await processorTime(load)).toBeLessThan(10_000);
  store.close();
});
