import { expect, test } from 'vitest';
import { SourceState } from './source-state.ts';

test('a source that never had content is not away when it is empty', () => {
  const state = new SourceState(300);
  expect(state.seenEmpty()).toBe(true);
  expect(state.isAway).toBe(false);
  state.throwIfAway();
});

test('a source that had content is away for emptyIsAway seconds, then empty', () => {
  let now = 1000;
  const state = new SourceState(300, () => now);
  state.seen();
  expect(state.seenEmpty()).toBe(false);
  expect(() => state.throwIfAway()).toThrow(
    expect.objectContaining({ code: 'unavailable', details: expect.objectContaining({ retryAfter: 5 }) }),
  );
  now += 299_999;
  expect(state.seenEmpty()).toBe(false);
  now += 1;
  expect(state.seenEmpty()).toBe(true);
  expect(state.isAway).toBe(false);
  expect(state.seenEmpty()).toBe(true);
});

test('a source with content again is back at once, and its time starts again', () => {
  let now = 0;
  const state = new SourceState(10, () => now);
  state.seen();
  state.seenEmpty();
  now = 9_000;
  state.seen();
  state.throwIfAway();
  now = 11_000;
  expect(state.seenEmpty()).toBe(false);
});

test('an empty source with 0 seconds is never away', () => {
  const state = new SourceState(0);
  state.seen();
  expect(state.seenEmpty()).toBe(true);
});
