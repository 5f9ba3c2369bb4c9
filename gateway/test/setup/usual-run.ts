/**
 * Tables of tests of which `npm test` runs some rows and `npm run test:long` all of them. What is left to the long run is
 * reported as skipped.
 */
import { test } from 'vitest';
import { LONG } from './long.ts';

/** A test that only the long run has. */
export const longTest = test.runIf(LONG);

type Arguments<Row> = Row extends readonly [...infer Values] ? Values : [row: Row];
type Define<Row> = (title: string, run: (...row: Arguments<Row>) => unknown, timeout?: number) => void;
type Each = (rows: readonly unknown[]) => (title: string, run: unknown, timeout?: number) => void;

/**
 * `test.each` of all rows.
 * @param isUsual tells whether `npm test` runs a row too
 */
export function testEach<Row>(
  rows: readonly Row[],
  isUsual: (row: Row, index: number) => boolean,
): Define<Row> {
  return (...args) => {
    (test.each as Each)(rows.filter(isUsual))(...args);
    (longTest.each as Each)(rows.filter((row, index) => !isUsual(row, index)))(...args);
  };
}

/**
 * Whether a cell of a table of two dimensions is in the run: all are in the long one.
 * @param of no more than the shorter side: each row and each column then has a cell in every run
 * @param share how many of so many cells in a line `npm test` takes
 */
export function isInTurn(
  [row, column]: readonly [row: number, column: number],
  of: number,
  share = 1,
): boolean {
  return LONG || (row + column) % of < share;
}
