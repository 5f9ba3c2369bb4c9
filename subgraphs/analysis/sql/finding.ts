import { Fault, type FaultCode } from '../../../schema/fault/fault.ts';

/** Kinds of what is wrong with a query, each with the fault that its caller gets. */
const CODES = {
  /** The statement, or what it needs, is refused. */
  statement: 'unprocessable',
  /** It names a table for which the caller has no scope. */
  scope: 'insufficient_scope',
  /** Its parameters are. */
  parameters: 'invalid_request',
  /** The tables cannot be opened now, or the disk is full. */
  unavailable: 'unavailable',
  /** DuckDB is not installed. */
  engine: 'not_implemented',
} as const satisfies Record<string, FaultCode>;

/** Something that is wrong with a query, as the process of the query reports it. */
export interface Finding {
  kind: keyof typeof CODES;
  message: string;
}

/** A finding on its way through the process of a query. */
export class QueryError extends Error {
  readonly kind: Finding['kind'];

  constructor(kind: Finding['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Returns the fault of a finding. @param cause for the log */
export function faultOf({ kind, message }: Finding, cause?: unknown): Fault {
  const code = CODES[kind];
  return new Fault(code, message, { ...(code === 'unavailable' && { retryAfter: 5 }), cause });
}

/** The sentences of findings that several places report. */
export const SENTENCES = {
  memory:
    'The query needed more memory than it may have. Ask for less: fewer rows or columns before they are grouped, sorted or joined.',
  failed: 'The engine could not answer this statement. Write it in another way.',
  late: 'A later row could not be computed: a value has another type than a cast needs (TRY_CAST gives null for it), or there is too little memory. Ask for less, or without this value.',
  deep: 'The statement is nested too deeply.',
  time: 'The query took too long. Ask for less: fewer rows before they are grouped, sorted or joined.',
  disk: 'There is no room on the disk of the server for what the query has to put aside. Ask for less, or try again later.',
  parquet: 'Parquet has no form for a value of this answer. Cast it to VARCHAR, or ask for another format.',
  start: 'The server cannot start a query now. Try again later.',
  tables: 'The tables cannot be opened now. Try again.',
  engine:
    'This server has no engine for SQL. Its operator installs the optional package @duckdb/node-api: npm ci without --omit=optional.',
} as const;
