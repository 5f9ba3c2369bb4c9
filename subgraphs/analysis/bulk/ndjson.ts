import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { FHIR_ID, parseReference } from '../../../schema/fhir/fhir.ts';

/** Bytes of the longest line: a resource with its attachments. */
const LONGEST_LINE = 32 * 1024 * 1024;
const LINE_FEED = 10;

/** A resource of which only its name is known. */
interface Named {
  resourceType: string;
  id: string;
}

/** A line of a file that is not what it must be. */
export class LineError extends Error {
  /** @param line from 1 @param what completes "line 3 …" */
  constructor(line: number, what: string) {
    // Not the line itself: it may be a patient's record.
    super(`line ${line} ${what}`);
    this.name = 'LineError';
  }
}

/** Lines that follow each other. */
interface Lines {
  /** Number of the first one, from 1. */
  first: number;
  lines: readonly string[];
}

/** Yields whole lines as they come, several at a time. @throws LineError for one that is too long */
async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Lines> {
  let rest: Uint8Array[] = [];
  let length = 0;
  let first = 1;
  for await (const chunk of bytes) {
    const end = chunk.lastIndexOf(LINE_FEED);
    rest.push(chunk.subarray(0, end < 0 ? chunk.length : end));
    length += chunk.length;
    if (length > LONGEST_LINE) throw new LineError(first, `has more than ${LONGEST_LINE} bytes`);
    if (end < 0) continue;
    const lines = textOf(rest, first).split('\n');
    yield { first, lines };
    first += lines.length;
    rest = [chunk.subarray(end + 1)];
    length = chunk.length - end - 1;
  }
  if (length > 0) yield { first, lines: [textOf(rest, first)] };
}

/** Some programs begin a file with a byte order mark. */
const textOf = (bytes: readonly Uint8Array[], first: number): string => {
  const text = Buffer.concat(bytes).toString('utf8');
  return first === 1 && text.startsWith('\ufeff') ? text.slice(1) : text;
};

/** Yields the lines that are not empty, with their numbers. @throws LineError for one that is too long */
async function* filledLines(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ line: number; text: string }> {
  for await (const { first, lines } of linesOf(bytes)) {
    for (const [index, text] of lines.entries()) if (text.trim() !== '') yield { line: first + index, text };
  }
}

function parsed(text: string, line: number): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LineError(line, 'is not JSON, or is cut off');
  }
  if (typeof value === 'object' && value !== null) return value;
  throw new LineError(line, 'is not a resource');
}

/**
 * Writes the lines of a file to the disk as they come, if each is a whole resource of the type.
 * @param base of the server: absolute references to it become relative, so that they can be compared
 * @returns their number
 * @throws LineError for another line
 */
export async function saveResources(
  bytes: AsyncIterable<Uint8Array>,
  path: string,
  { type, base }: { type: string; base: string },
): Promise<number> {
  const escaped = base.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const own = new RegExp(`"reference"\\s*:\\s*"${escaped}/`, 'g');
  let count = 0;
  const checked = async function* (): AsyncGenerator<string> {
    for await (const { first, lines } of linesOf(bytes)) {
      const resources = lines.filter((text, index) => isResource(text, first + index, type));
      count += resources.length;
      if (resources.length > 0) yield `${resources.join('\n').replace(own, '"reference":"')}\n`;
    }
  };
  await pipeline(checked, createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true }));
  return count;
}

/** Returns false for an empty line. @throws LineError for one that is not a resource of the type */
function isResource(text: string, line: number, type: string): boolean {
  if (text.trim() === '') return false;
  const { resourceType, id } = parsed(text, line) as Partial<Named>;
  if (resourceType !== type) throw new LineError(line, `is not a resource of type ${type}`);
  if (typeof id !== 'string' || !FHIR_ID.test(id)) throw new LineError(line, 'has no id of FHIR');
  return true;
}

/** Ids of resources by their type. */
export type IdsByType = Map<string, Set<string>>;

/**
 * Adds the resources that a file of Bundles says are deleted (Bulk Data Access 3.0, `deleted`).
 * @param base of the server: resources of others are not meant
 * @param most ids that there may be
 * @returns number of the entries that name no resource of the server
 * @throws LineError for a line that is no such Bundle, or one too many
 */
export async function readDeleted(
  bytes: AsyncIterable<Uint8Array>,
  deleted: IdsByType,
  { base, most }: { base: string; most: number },
): Promise<number> {
  let count = [...deleted.values()].reduce((sum, { size }) => sum + size, 0);
  let skipped = 0;
  for await (const { line, text } of filledLines(bytes)) {
    for (const entry of entriesOf(parsed(text, line), line)) {
      const target = deletionOf(entry, base);
      if (!target) skipped++;
      else if (++count > most) throw new LineError(line, `is after ${most} deleted resources`);
      else deleted.set(target.type, (deleted.get(target.type) ?? new Set()).add(target.id));
    }
  }
  return skipped;
}

function entriesOf(bundle: object, line: number): readonly unknown[] {
  const { resourceType, entry = [] } = bundle as { resourceType?: unknown; entry?: unknown };
  if (resourceType === 'Bundle' && Array.isArray(entry)) return entry;
  throw new LineError(line, 'is not a Bundle');
}

/** Returns the resource that an entry deletes, by its type and id; undefined for one of another server, or none. */
function deletionOf(entry: unknown, base: string): ReturnType<typeof parseReference> {
  const { request } = (entry ?? {}) as { request?: { method?: unknown; url?: unknown } | null };
  const { method, url } = request ?? {};
  if (method !== 'DELETE' || typeof url !== 'string') return undefined;
  const own = url.startsWith(`${base}/`) ? url.slice(base.length + 1) : url;
  const target = parseReference(own);
  return target && own.startsWith(`${target.type}/`) ? target : undefined;
}

/** An issue of an OperationOutcome, for the operator. */
export interface Issue {
  severity: string;
  code: string | undefined;
  text: string;
}

/** Longest text of an issue. */
const LONGEST_TEXT = 200;
/** Matches a line that is not JSON: one of those of an OperationOutcome that is written in several. */
const SAYS_FAILED = /"severity"\s*:\s*"(error|fatal)"/i;

/** Content of a file of OperationOutcomes. */
interface Issues {
  /** The first ones that say that data are missing. */
  failures: Issue[];
  /** The first ones of the others. */
  others: Issue[];
  /** Number of the lines that are not JSON. */
  unreadable: number;
}

/**
 * Reads a file of OperationOutcomes (Bulk Data Access 3.0, `error`): errors, warnings and information.
 * @param most issues of each kind that are kept
 */
export async function readIssues(bytes: AsyncIterable<Uint8Array>, most: number): Promise<Issues> {
  const read: Issues = { failures: [], others: [], unreadable: 0 };
  for await (const { text } of filledLines(bytes)) {
    let issues: Issue[];
    try {
      issues = issuesOf(JSON.parse(text));
    } catch {
      read.unreadable++;
      issues = SAYS_FAILED.test(text) ? [{ severity: 'error', code: undefined, text: UNREADABLE }] : [];
    }
    for (const issue of issues) {
      const kept = isFailure(issue) ? read.failures : read.others;
      if (kept.length < most) kept.push(issue);
    }
  }
  return read;
}

const UNREADABLE = 'an error in a line that is not JSON';

/** Returns true unless a parameter or type is meant that the server does not have: it may leave these out (`handling=lenient`). */
const isFailure = ({ severity, code }: Issue): boolean =>
  /^fatal$/i.test(severity) || (/^error$/i.test(severity) && code !== 'not-supported');

/** Returns the issues of an OperationOutcome; none of anything else. */
export function issuesOf(outcome: unknown): Issue[] {
  const { issue } = (outcome ?? {}) as { issue?: unknown };
  if (!Array.isArray(issue)) return [];
  return issue.map((one: Record<string, unknown> | null) => {
    const { severity, code, diagnostics, details } = one ?? {};
    const { text } = (details ?? {}) as { text?: unknown };
    const [said = ''] = [text, diagnostics, code].filter((value) => typeof value === 'string');
    return {
      severity: typeof severity === 'string' ? severity : 'error',
      code: typeof code === 'string' ? code : undefined,
      text: shortened(said),
    };
  });
}

const shortened = (text: string): string =>
  text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;

/** Writes a file again without the resources of some ids. */
export async function copyWithout(from: string, to: string, ids: ReadonlySet<string>): Promise<void> {
  const kept = async function* (): AsyncGenerator<string> {
    for await (const { lines } of linesOf(createReadStream(from))) {
      const others = lines.filter((text) => !ids.has((JSON.parse(text) as Named).id));
      if (others.length > 0) yield `${others.join('\n')}\n`;
    }
  };
  await pipeline(kept, createWriteStream(to, { flags: 'wx', mode: 0o600, flush: true }));
}
