/**
 * Tables of tests of which `npm test` runs some rows and `npm run test:long` all of them. `npm test` reports the others as
 * skipped.
 */
import { test } from 'vitest';
import { LONG } from './long.ts';

/** A test that only `npm run test:long` runs. */
export const longTest = test.runIf(LONG);

type Arguments<Row> = Row extends readonly [...infer Values] ? Values : [row: Row];
type Define<Row> = (title: string, run: (...row: Arguments<Row>) => unknown, timeout?: number) => void;
type Each = (rows: readonly unknown[]) => (title: string, run: unknown, timeout?: number) => void;

/**
 * Defines a test of each row, as `test.each` does.
 * @param isUsual returns true for a row that `npm test` runs too
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
 * Returns whether a cell of a table of two dimensions is in the run: `npm run test:long` has all cells.
 * @param of number of neighbouring cells from which `npm test` takes its share; at most the shorter side of the table,
 * so that each row and each column has a cell in every run
 * @param share number of cells that `npm test` takes of these
 */
export function isInTurn(
  [row, column]: readonly [row: number, column: number],
  of: number,
  share = 1,
): boolean {
  return LONG || (row + column) % of < share;
}
