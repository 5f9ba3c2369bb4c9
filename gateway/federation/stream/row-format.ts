import type { Leaf } from './row-leaves.ts';

/** How the rows of a stream are written. */
export interface RowFormat {
  /** The value of Content-Type. */
  type: string;
  /** Returns the text before the first row. */
  head(leaves: readonly Leaf[]): string;
  /** Returns the text of one row. @param next the cursor of the next page, on the last row of a page */
  row(row: object, leaves: readonly Leaf[], next: string | undefined): string;
  /** Returns the last line of a stream that fails after its beginning; empty where the format has no place for it. */
  error(error: object): string;
}

/** Name of the column or member with the cursor of the next page. */
export const NEXT = '_next';
