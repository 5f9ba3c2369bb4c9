import { expect, test, vi } from 'vitest';
import { RequestEnd } from './request-end.ts';

test('a request ends once, and its signal with it', () => {
  const over = new RequestEnd();
  expect(over.aborted).toBe(false);
  const { signal } = over;
  const listener = vi.fn();
  signal.addEventListener('abort', listener);
  over.abort('gone');
  over.abort('late');
  expect([over.aborted, over.reason]).toEqual([true, 'gone']);
  expect([signal.aborted, signal.reason]).toEqual([true, 'gone']);
  expect(over.signal).toBe(signal);
  expect(listener).toHaveBeenCalledTimes(1);
});

test('a signal that is asked for after the end is aborted', () => {
  const over = new RequestEnd();
  over.abort('gone');
  expect([over.signal.aborted, over.signal.reason]).toEqual([true, 'gone']);
});
