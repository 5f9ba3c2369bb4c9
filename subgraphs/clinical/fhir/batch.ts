import type { OperationOutcome } from 'fhir/r4.js';
import { Semaphore } from '../../../schema/concurrency/semaphore.ts';
import { Fault, faultOutcome, toFault } from '../../../schema/fault/fault.ts';
import { FHIR_JSON } from '../../../schema/fhir/fhir.ts';
import { OPERATIONS } from '../../../schema/fhir/operations.ts';

/** Batches of reads, searches and operations (R4 §3.1.0.11). */

/** Entries of one batch. */
const MAX_ENTRIES = 50;
/** Entries of one batch that run at the same time. */
const AT_ONCE = 4;
/** Characters of the answers to all entries. */
const MAX_ANSWERS = 32 * 1024 * 1024;
/** Operations that an entry may call: an export has no answer that fits into a batch. */
const CALLABLE = [
  ...OPERATIONS.filter(({ name }) => name !== 'export').map(({ name }) => `$${name}`),
  '$mado',
];

/** A request that an entry makes. */
export interface EntryRequest {
  /** Path and query from the root of the server. */
  url: string;
  /** `if-none-match` and `if-modified-since`, as far as the entry has them. */
  headers: Record<string, string>;
}

/** The answer to an entry when its request is sent alone. */
export interface EntryAnswer {
  status: number;
  headers: Readonly<Record<string, string | string[] | number | undefined>>;
  body: string;
}

export interface BatchOptions {
  /** Path of the FHIR base as the client wrote it, without a slash at the end. */
  path: string;
  /** Absolute public base of FHIR REST. */
  base: string;
  /** Sends a request as if the client had sent it alone, with authorization, limits and audit. */
  send(request: EntryRequest): Promise<EntryAnswer>;
  signal: AbortSignal;
}

/**
 * Answers a batch. A fault of one entry is that entry's outcome; the others still run.
 * @param bundle the body of the request
 * @returns the JSON of a Bundle of type `batch-response`, with the resources exactly as a single request gets them
 * @throws Fault `invalid_request` for a body that is no batch, `unsupported_parameter` for a transaction, `too_large` for
 *   too many entries
 */
export async function answerBatch(bundle: unknown, options: BatchOptions): Promise<string> {
  const entries = entriesOf(bundle);
  const turns = new Semaphore(AT_ONCE);
  let left = MAX_ANSWERS;
  const answers = await Promise.all(
    entries.map(async (entry) => {
      const release = await turns.acquire(options.signal);
      try {
        if (left <= 0) throw tooMuch();
        const answer = await options.send(readEntry(entry, options));
        left -= answer.body.length;
        if (left < 0) throw tooMuch();
        return answeredEntry(answer);
      } catch (error) {
        options.signal.throwIfAborted();
        const fault = toFault(error);
        // An error of this server is no answer: it is logged where the whole request fails.
        if (fault.code === 'internal') throw fault;
        return responseEntry(String(fault.status), { outcome: faultOutcome(fault) });
      } finally {
        release();
      }
    }),
  );
  const entry = answers.length > 0 ? `,"entry":[${answers.join(',')}]` : '';
  return `{"resourceType":"Bundle","type":"batch-response"${entry}}`;
}

function entriesOf(bundle: unknown): unknown[] {
  const { resourceType, type, entry = [] } = recordOf(bundle);
  if (resourceType !== 'Bundle') throw new Fault('invalid_request', 'Send a Bundle of type batch.');
  if (type === 'transaction') {
    throw new Fault('unsupported_parameter', 'Transactions are not supported. Send the requests as a batch.');
  }
  if (type !== 'batch' || !Array.isArray(entry)) {
    throw new Fault('invalid_request', 'Send a Bundle of type batch with a list of entries.');
  }
  if (entry.length > MAX_ENTRIES) {
    throw new Fault('too_large', `A batch takes at most ${MAX_ENTRIES} entries: send several batches.`);
  }
  return entry;
}

/** @throws Fault `method_not_allowed` for anything but GET, `invalid_request` for a URL that is none of this server */
function readEntry(entry: unknown, { path, base }: BatchOptions): EntryRequest {
  const request = recordOf(recordOf(entry)['request']);
  const { method, url, ifNoneMatch, ifModifiedSince } = request;
  if (method !== 'GET') {
    throw new Fault('method_not_allowed', 'A batch can only read: each entry has the method GET.', {
      allow: 'GET',
    });
  }
  if (typeof url !== 'string' || url === '') {
    throw new Fault('invalid_request', 'The entry has no request.url.');
  }
  const relative = url.startsWith(`${base}/`) ? url.slice(base.length + 1) : url.replace(/^\//, '');
  const target = pathOf(`${path}/`, relative);
  if (target === undefined) {
    throw new Fault('invalid_request', 'The url of an entry is relative to the base of this server.');
  }
  const operation = target.pathname.split('/').find((part) => /^(\$|%24)/i.test(part));
  if (operation !== undefined && !CALLABLE.includes(operation.replace(/^%24/, '$'))) {
    throw new Fault('invalid_request', `A batch takes these operations: ${CALLABLE.join(', ')}.`);
  }
  const headers: Record<string, string> = {};
  if (isHeaderValue(ifNoneMatch)) headers['if-none-match'] = ifNoneMatch;
  const since = typeof ifModifiedSince === 'string' ? new Date(ifModifiedSince) : new Date(NaN);
  if (!Number.isNaN(since.getTime())) headers['if-modified-since'] = since.toUTCString();
  return { url: `${target.pathname}${target.search}`, headers };
}

/** Resolves a URL below a path; undefined when it leads elsewhere. */
function pathOf(path: string, relative: string): URL | undefined {
  // A scheme, a host, or a control character, which URLs ignore.
  if (/^[a-z][a-z0-9+.-]*:|^\/|[\\#\p{Cc}]/iu.test(relative)) return undefined;
  const root = 'http://localhost';
  if (!URL.canParse(relative, `${root}${path}`)) return undefined;
  const target = new URL(relative, `${root}${path}`);
  const isBelow = target.origin === root && target.pathname.startsWith(path) && target.pathname !== path;
  return isBelow ? target : undefined;
}

const isHeaderValue = (value: unknown): value is string =>
  typeof value === 'string' && /^[\x20-\x7e]{1,1000}$/.test(value);

/** @throws Fault `bad_gateway` for an answer that is not FHIR JSON */
function answeredEntry({ status, headers, body }: EntryAnswer): string {
  const isFhir = String(headers['content-type'] ?? '').startsWith(FHIR_JSON);
  if (body !== '' && !isFhir) {
    throw new Fault(
      'invalid_request',
      'The answer to this entry is no FHIR resource: send the request alone.',
    );
  }
  const modified = new Date(String(headers['last-modified'] ?? ''));
  const response = {
    ...(typeof headers['etag'] === 'string' && { etag: headers['etag'] }),
    ...(!Number.isNaN(modified.getTime()) && { lastModified: modified.toISOString() }),
  };
  if (status >= 400) return `{"response":${withMember({ status: String(status) }, 'outcome', body)}}`;
  return responseEntry(String(status), response, body);
}

/** @param resource JSON of the resource, kept as it was written */
function responseEntry(
  status: string,
  response: { etag?: string; lastModified?: string; outcome?: OperationOutcome },
  resource = '',
): string {
  return withMember({ response: { status, ...response } }, 'resource', resource);
}

/** Writes an object with one more member, whose JSON is given; without it when that is empty. */
function withMember(object: object, name: string, json: string): string {
  const text = JSON.stringify(object);
  return json === '' ? text : `${text.slice(0, -1)},"${name}":${json}}`;
}

function tooMuch(): Fault {
  return new Fault(
    'too_large',
    'The answers to the other entries are too large already: send this one alone.',
  );
}

const recordOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
