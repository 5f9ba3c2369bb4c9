import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_JSON } from '../../../schema/fhir/fhir.ts';
import { limitedText } from '../../../schema/outbound/limited-text.ts';
import { resending } from '../../../schema/outbound/resending.ts';
import { isAwayStatus } from '../../../schema/outbound/unreachable.ts';
import { ExportEnded, unusable } from './bulk-fault.ts';
import { issuesOf } from './ndjson.ts';

/** A client of Bulk Data Access 3.0: the requests, and what their answers mean. */

export interface BulkRequest {
  method: 'GET' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  signal: AbortSignal;
}

export interface BulkAnswer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body without content coding. */
  body: AsyncIterable<Uint8Array>;
}

/**
 * Sends a request to the EHR, or to a server that it names. Redirects are not followed.
 * @param isAuthorized sends the token of the gateway, which only the EHR itself gets
 * @throws Fault, and errors of the connection
 */
export type SendBulk = (request: BulkRequest, isAuthorized: boolean) => Promise<BulkAnswer>;

export interface BulkServerOptions {
  /** Absolute base of the EHR, without a trailing slash. */
  base: string;
  /** Id of the Group that is exported; undefined: all patients. */
  group?: string | undefined;
  types: readonly string[];
  send: SendBulk;
  /** Milliseconds since the epoch. */
  now: () => number;
}

const webUrl = z.url({ protocol: /^https?$/ });
const file = z.object({ type: z.string(), url: webUrl, count: z.number().int().nonnegative().optional() });
const files = z
  .array(file)
  .nullish()
  .transform((list) => list ?? []);
/** Files of OperationOutcomes: their type is not needed. */
const outcomes = z
  .array(file.pick({ url: true }))
  .nullish()
  .transform((list) => list ?? []);

/** The end of an export: its files. */
const manifest = z
  .object({
    transactionTime: z.iso.datetime({ offset: true }),
    requiresAccessToken: z.boolean().default(true),
    output: files,
    deleted: files,
    error: outcomes,
    /** The name of `error` in the ballot of version 4. */
    outcome: outcomes,
    /** The next part of a manifest in parts, which we do not ask for. */
    link: z.array(z.object({ relation: z.string() })).nullish(),
  })
  .refine(({ link }) => !link?.some(({ relation }) => relation === 'next'), 'has other parts');

export type BulkManifest = z.infer<typeof manifest>;
export type BulkFile = z.infer<typeof file>;

/** Bytes: a manifest may name thousands of files. */
const LONGEST_ANSWER = 16 * 1024 * 1024;
/** Milliseconds for an answer that is no file. */
const ANSWER = 60_000;
/** Milliseconds between two bytes of a file. */
const SILENCE = 60_000;
/** Seconds between two questions for the status. */
const SHORTEST_WAIT = 1;
const LONGEST_WAIT = 600;
/** Statuses of an EHR that does not have the operation. */
const NO_OPERATION: ReadonlySet<number> = new Set([404, 405, 501]);

export class BulkServer {
  readonly base: string;
  readonly #options: BulkServerOptions;

  constructor(options: BulkServerOptions) {
    this.base = options.base;
    this.#options = options;
  }

  /**
   * Begins an export.
   * @param since transactionTime of the one before; undefined: all data
   * @returns URL of its status
   * @throws Fault `not_implemented` for an EHR without Bulk Data, `unavailable`, `bad_gateway`
   */
  async begin(since: string | undefined, signal: AbortSignal): Promise<string> {
    const { base } = this;
    const { group, types } = this.#options;
    const parameters = new URLSearchParams({ _type: types.join(','), ...(since && { _since: since }) });
    const of = group === undefined ? 'Patient' : `Group/${encodeURIComponent(group)}`;
    // Lenient: a server that does not know a parameter, or a type, gives what it has, and says so in its file of errors.
    const headers = { accept: FHIR_JSON, prefer: 'respond-async, handling=lenient' };
    const url = `${base}/${of}/$export?${parameters}`;
    const answer = await this.#answer({ url, headers }, signal);
    const { status } = answer;
    if (NO_OPERATION.has(status)) throw withoutBulk(status);
    if (status !== 202) throw refused('$export', answer);
    const location = String(answer.headers['content-location'] ?? '');
    if (location !== '' && URL.canParse(location, url)) return new URL(location, url).href;
    throw unusable('it began an export without saying where its status is');
  }

  /**
   * Asks for the status until the export has ended, as often as the EHR wants.
   * @param until milliseconds since the epoch
   * @throws ExportEnded; Fault `unavailable` when it takes longer
   */
  async wait(statusUrl: string, until: number, signal: AbortSignal): Promise<BulkManifest> {
    const headers = { accept: 'application/json' };
    for (let asked = 0; ; asked++) {
      const answer = await resending(() => this.#answer({ url: statusUrl, headers }, signal));
      const { status } = answer;
      if (status === 200) return readManifest(answer.text);
      if (status === 303) return this.#redirected(answer, statusUrl, signal);
      if (status !== 202 && status !== 429 && !isAwayStatus(status)) {
        throw new ExportEnded(reasonOf('the status of the export', answer));
      }
      const seconds = waitSeconds(answer.headers['retry-after'], this.#options.now(), asked);
      if (this.#options.now() + seconds * 1000 > until) throw tooLate();
      await delay(seconds * 1000, undefined, { signal, ref: false });
    }
  }

  /** Reads the manifest at another address (asynchronous interactions, 303). */
  async #redirected({ headers: { location } }: Answer, from: string, signal: AbortSignal) {
    const target = String(location ?? '');
    if (target === '' || !URL.canParse(target, from)) throw unusable('it ended an export without a manifest');
    const headers = { accept: 'application/json' };
    const answer = await this.#answer({ url: new URL(target, from).href, headers }, signal);
    if (answer.status === 200) return readManifest(answer.text);
    throw new ExportEnded(reasonOf('the manifest of the export', answer));
  }

  /**
   * Opens a file.
   * @returns its bytes; reading them fails when none come for a minute
   * @throws Fault `unavailable`, `bad_gateway`
   */
  async file(
    { url }: Pick<BulkFile, 'url'>,
    isAuthorized: boolean,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(silent()), SILENCE).unref();
    const request = {
      method: 'GET' as const,
      url,
      headers: { accept: 'application/fhir+ndjson' },
      signal: AbortSignal.any([signal, late.signal]),
    };
    try {
      const { status, headers, body } = await resending(() => this.#options.send(request, isAuthorized));
      if (status === 200) return timed(body, timer);
      const text = await limitedText(body, LONGEST_ANSWER).catch(() => '');
      throw refused('a file of the export', { status, headers, text });
    } catch (error) {
      clearTimeout(timer);
      throw error;
    }
  }

  /** Tells the EHR that the files are not needed any more. Its answer does not matter. */
  async forget(statusUrl: string, signal: AbortSignal): Promise<void> {
    const asked = { method: 'DELETE' as const, url: statusUrl, headers: { accept: FHIR_JSON } };
    await this.#answer(asked, signal).catch(() => undefined);
  }

  async #answer(
    asked: { method?: BulkRequest['method']; url: string; headers: Record<string, string> },
    signal: AbortSignal,
  ): Promise<Answer> {
    const { method = 'GET', url, headers } = asked;
    const either = AbortSignal.any([signal, AbortSignal.timeout(ANSWER)]);
    const answer = await this.#options.send({ method, url, headers, signal: either }, true);
    return { ...answer, text: await limitedText(answer.body, LONGEST_ANSWER) };
  }
}

interface Answer extends Pick<BulkAnswer, 'status' | 'headers'> {
  text: string;
}

/** Passes bytes on; each gives the next one its time. */
async function* timed(body: AsyncIterable<Uint8Array>, timer: NodeJS.Timeout): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) {
      timer.refresh();
      yield chunk;
    }
  } finally {
    clearTimeout(timer);
  }
}

function readManifest(text: string): BulkManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw unusable('it ended an export with a manifest that is not JSON');
  }
  const parsed = manifest.safeParse(json);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues as [z.core.$ZodIssue];
  throw unusable(`it ended an export with a manifest that cannot be used: ${path.join('.')} ${message}`);
}

/**
 * Returns the seconds to wait before the next question (RFC 9110 §10.2.3): as the header says, within limits; without it
 * longer each time.
 * @param now milliseconds since the epoch
 */
export function waitSeconds(header: string | string[] | undefined, now: number, asked: number): number {
  const text = String(header ?? '');
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - now) / 1000;
  const wanted = Number.isFinite(seconds) ? seconds : 2 ** asked;
  return Math.min(LONGEST_WAIT, Math.max(SHORTEST_WAIT, wanted));
}

/** Names an answer by its status, and what it says, for the log. */
function reasonOf(what: string, { status, text }: Pick<Answer, 'status' | 'text'>): string {
  let outcome: unknown;
  try {
    outcome = JSON.parse(text);
  } catch {
    // Other servers answer HTML.
  }
  const [issue] = issuesOf(outcome);
  return `${what} answered ${status}${issue ? ` (${issue.text})` : ''}`;
}

function refused(what: string, answer: Answer): Fault {
  const { status } = answer;
  const cause = new Error(reasonOf(what, answer));
  const isAway = status === 429 || isAwayStatus(status);
  return isAway
    ? new Fault('unavailable', 'The EHR gives no export now.', { service: 'clinical', cause })
    : new Fault('bad_gateway', 'The EHR refused an export.', { service: 'clinical', cause });
}

function withoutBulk(status: number): Fault {
  const message =
    'The EHR of this tenant has no export (Bulk Data Access), of which the tables would be made. There are none.';
  const cause = new Error(`$export answered ${status}`);
  return new Fault('not_implemented', message, { service: 'clinical', cause });
}

const tooLate = (): Fault =>
  new Fault('unavailable', 'The EHR has not ended an export in time.', { service: 'clinical' });

const silent = (): DOMException => new DOMException('No byte came for a minute.', 'TimeoutError');
