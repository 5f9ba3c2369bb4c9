import { describe, expect, test } from 'vitest';
import { BufferPool, enclosed, giveBack } from './buffer-pool.ts';

const LENGTH = 512 * 1024;

describe('text around a buffer of a pool', () => {
  test('is written without a copy, and the whole gives the memory back', () => {
    const pool = new BufferPool();
    const lent = pool.take(LENGTH);
    lent.fill(7);
    const whole = enclosed(lent, 'before', 'after')!;
    expect(whole.toString('latin1', 0, 6)).toBe('before');
    expect(whole.subarray(6, 6 + LENGTH).equals(Buffer.alloc(LENGTH, 7))).toBe(true);
    expect(whole.toString('latin1', 6 + LENGTH)).toBe('after');
    expect(whole.buffer).toBe(lent.buffer);
    // The part that was enclosed gives back nothing any more: the answer still reads it.
    giveBack(lent);
    expect(pool.take(LENGTH).buffer).not.toBe(whole.buffer);
    giveBack(whole);
    expect(pool.take(LENGTH).buffer).toBe(whole.buffer);
  });

  test('is not written around bytes that other data may surround', () => {
    const pool = new BufferPool();
    expect(enclosed(pool.take(LENGTH).subarray(1), 'before', 'after')).toBeUndefined();
    expect(enclosed(Buffer.alloc(LENGTH), 'before', 'after')).toBeUndefined();
    expect(enclosed(pool.take(1000), 'before', 'after')).toBeUndefined();
  });

  test('is not written where it has no room', () => {
    const lent = new BufferPool().take(LENGTH);
    expect(enclosed(lent, 'b'.repeat(513), '')).toBeUndefined();
    expect(enclosed(lent, '', 'a'.repeat(513))).toBeUndefined();
  });
});
