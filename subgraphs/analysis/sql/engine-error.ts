import { isDiskFull } from '../../../schema/process/disk-full.ts';
import { QueryError, SENTENCES } from './finding.ts';

/** A result that has broken off between its rows: of the reason the engine says nothing. */
export class LateError extends Error {}

/** Errors of the engine that are about the statement or its values. Their text tells the caller what to change. */
const TOLD =
  /^(Binder|Catalog|Parser|Syntax|Conversion|Invalid Input|Out of Range|Mismatch Type|Not implemented|Constraint|Sequence) Error: /;
/** Something like the path of a file: a slash or a drive, and two names. */
const PATH = /(?<![\w.:])(?:[A-Za-z]:)?(?:[\\/][^\s\\/"'();,]+){2,}|\bfile:\S+/g;
const MEMORY = /^Out of Memory/;
/** Characters of a sentence of the engine. It may repeat a value. */
const LONGEST = 400;

/**
 * Returns what a caller is told of an error of the engine: its text only where it is about the statement, with the line, and
 * without paths. A value in it is one of the caller's own rows.
 */
export function toldOf(error: unknown): QueryError {
  if (error instanceof QueryError) return error;
  if (error instanceof LateError) return new QueryError('statement', SENTENCES.late);
  const text = error instanceof Error ? error.message : String(error);
  if (/call stack/.test(text)) return new QueryError('statement', SENTENCES.deep);
  if (/^INTERRUPT/.test(text)) return new QueryError('statement', SENTENCES.time);
  if (isOfDisk(error)) return new QueryError('unavailable', SENTENCES.disk);
  if (MEMORY.test(text) || error instanceof RangeError) return new QueryError('statement', SENTENCES.memory);
  const kind = TOLD.exec(text);
  if (!kind) return new QueryError('statement', SENTENCES.failed);
  return new QueryError('statement', sentenceOf(text.slice(kind[0].length)));
}

/** Tells whether an error says that memory or the disk is full. */
export const isOfRoom = (error: unknown): boolean =>
  error instanceof Error && (isOfDisk(error) || MEMORY.test(error.message));

/** The room on the disk may be limited for the engine. */
const isOfDisk = (error: unknown): boolean =>
  isDiskFull(error) || /max_temp_directory_size/.test(String(error));

/** Tells whether the engine goes on working after an error. */
export const isUsableAfter = (error: unknown): boolean =>
  error instanceof QueryError ||
  (error instanceof Error && (TOLD.test(error.message) || /^INTERRUPT/.test(error.message)));

/** Returns the first part of a message of the engine, which ends with the line and a mark below it. */
function sentenceOf(message: string): string {
  const [said = ''] = message.split(/\n\s*\n?LINE \d+:/);
  const line = /^LINE (\d+):/m.exec(message)?.[1];
  const sentence = said.replace(/\s+/g, ' ').replace(PATH, '…').trim();
  const short = sentence.length > LONGEST ? `${sentence.slice(0, LONGEST)}…` : sentence;
  return line ? `Line ${line}: ${short}` : short;
}
