import type { RowFormat } from '../executor/rows.ts';

/** The format of the rows of a stream. */
export interface StreamFormat extends RowFormat {
  /** Returns a row with its end. @param next the cursor of the next page, on the last row of a page */
  line(row: string, next: string | undefined): string;
  /** Returns the last line of a stream that fails after its beginning; empty where the format has no place for it. */
  error(error: object): string;
}

/** Name of the column or member with the cursor of the next page. */
export const NEXT = '_next';
