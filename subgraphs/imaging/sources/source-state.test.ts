import { expect, test } from 'vitest';
import { SourceState } from './source-state.ts';

test('a source that never had anything is believed to be empty', () => {
  const state = new SourceState(300);
  expect(state.seenEmpty()).toBe(true);
  expect(state.isAway).toBe(false);
  state.throwIfAway();
});

test('one that had something is away for emptyIsAway seconds, then believed', () => {
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

test('one that has something again is back at once, and its time starts anew', () => {
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

test('with 0 seconds an empty source is believed at once', () => {
  const state = new SourceState(0);
  state.seen();
  expect(state.seenEmpty()).toBe(true);
});
