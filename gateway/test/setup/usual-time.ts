/**
 * Vitest's setup file: in CI, fails a file of `npm test` that works for long, so that `npm test` stays short for everybody.
 * It counts the processor's time, because others use the machine too.
 */
import { afterAll, expect } from 'vitest';
import { workedHere } from './processor-time.ts';

/** Seconds of the processor: 20 where they were measured, and half as much again for a slower machine. */
const MOST = 30;

if (process.env['CI'] && !/\.(whole|alone)\.test\.ts$/.test(expect.getState().testPath ?? '')) {
  const before = workedHere();
  afterAll(() => {
    const seconds = (workedHere() - before) / 1000;
    expect(seconds, 'a file that works for longer is a *.whole.test.ts, or two').toBeLessThan(MOST);
  });
}
