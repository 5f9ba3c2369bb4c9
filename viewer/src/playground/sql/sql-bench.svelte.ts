import { waitingFor, type Answer, type Asked } from '../answer.ts';
import { ROW_TYPES, savedStream, type ReadRows, type RowFormat } from '../results/all-rows.ts';
import type { Access } from '../sign-in/access.svelte.ts';
import { errorLine, namesInCsv, refusedAnswer, sentenceIn, shownAnswer } from './sql-rows.ts';
import { tablesOf, type SqlTable } from './tables.ts';

export type Parameters = Readonly<Record<string, string>>;

const NO_ANSWER = 'The gateway does not answer. The statement is kept: run it again.';

/** Sends statements of SQL to the tenant, and keeps the last answer. */
export class SqlBench {
  /** Undefined while they are not known. */
  tables = $state.raw<readonly SqlTable[]>();
  /** Why there are no tables, in the words of the server; empty if nothing is to be said. */
  refusal = $state('');
  /** Sentence of the server while it makes what is asked for, and is asked again by itself; empty if nothing waits. */
  waiting = $state('');
  answer = $state.raw<Answer>();
  isRunning = $state(false);
  /** Whole seconds since the statement that runs was sent. */
  seconds = $state(0);
  /** True if the last statement was stopped before its answer. */
  isStopped = $state(false);
  /** The line of the statement that the server does not take. */
  wrong = $state.raw<{ line: number; message: string }>();
  readonly #fhirBase: string;
  readonly #access: Pick<Access, 'fetch'>;
  #running: AbortController | undefined;
  #clock: ReturnType<typeof setInterval> | undefined;
  #loading: AbortController | undefined;

  constructor(base: string, access: Pick<Access, 'fetch'>) {
    this.#fhirBase = `${base}/fhir`;
    this.#access = access;
  }

  async loadTables(): Promise<void> {
    this.#loading?.abort();
    const { signal } = (this.#loading = new AbortController());
    this.refusal = '';
    const request = { headers: { accept: 'application/fhir+json' }, signal };
    try {
      const send = () => this.#access.fetch(`${this.#fhirBase}/ViewDefinition`, request);
      const response = await this.#whenMade(send, signal);
      const text = await response.text();
      if (response.ok) this.tables = tablesOf(JSON.parse(text));
      else this.refusal = sentenceIn(text) ?? `There are no tables. HTTP status: ${response.status}.`;
    } catch {
      if (!signal.aborted) this.refusal = 'The tables did not come.';
    }
  }

  /** Runs a statement; one that still runs is stopped. @param parameters values of `:name` */
  async run(sql: string, parameters: Parameters): Promise<void> {
    this.stop();
    this.isStopped = false;
    const controller = new AbortController();
    [this.#running, this.isRunning, this.wrong] = [controller, true, undefined];
    const asked: Asked = { query: sql, variables: parameters };
    const began = performance.now();
    this.seconds = 0;
    this.#clock = setInterval(() => (this.seconds = secondsSince(began)), 1000);
    const { signal } = controller;
    const answer = await this.#whenMade(() => this.#send(asked, 'ndjson', signal), signal).then(
      async (response) =>
        response.ok
          ? this.#withColumns(await shownAnswer(asked, response, began), signal)
          : refusedAnswer(asked, response.status, await response.text(), performance.now() - began),
      () => refusedAnswer(asked, 0, JSON.stringify({ issue: [{ diagnostics: NO_ANSWER }] }), 0),
    );
    if (this.#running !== controller) return;
    this.#end();
    this.answer = answer;
    const message = answer.json?.errors?.[0]?.message ?? '';
    const line = errorLine(message);
    this.wrong = line === undefined ? undefined : { line, message };
  }

  /** Stops the statement that runs. */
  stop(): void {
    this.isStopped = this.isRunning;
    this.#running?.abort();
    this.#end();
  }

  close(): void {
    this.stop();
    this.#loading?.abort();
  }

  /** Runs the statement of an answer again, and reads all of its rows as a file. */
  readonly readRows: ReadRows = async ({ answer }, saving) => {
    const response = await this.#send(answer.asked, saving.format, saving.signal).catch(() => {
      throw new Error(NO_ANSWER);
    });
    if (response.ok) return savedStream(response, saving);
    throw new Error(sentenceIn(await response.text()) ?? `HTTP status: ${response.status}.`);
  };

  /** Adds the columns of an answer without rows: only CSV names them. */
  async #withColumns(answer: Answer, signal: AbortSignal): Promise<Answer> {
    if (answer.columns?.length !== 0 || answer.json?.errors) return answer;
    try {
      const response = await this.#send(answer.asked, 'csv', signal, 0);
      return response.ok ? { ...answer, columns: namesInCsv(await response.text()) } : answer;
    } catch {
      return answer;
    }
  }

  /** Sends a request, and again when the server says so, while it makes what is asked for. */
  async #whenMade(send: () => Promise<Response>, signal: AbortSignal): Promise<Response> {
    for (;;) {
      const response = await send();
      const seconds = Number(response.headers.get('retry-after'));
      if (response.status !== 503 || !(seconds > 0)) {
        this.waiting = '';
        return response;
      }
      this.waiting = waitingFor(sentenceIn(await response.text()));
      await pause(seconds * 1000, signal);
      signal.throwIfAborted();
    }
  }

  /** @param most rows; all by default */
  #send(
    { query: sql, variables }: Asked,
    format: RowFormat,
    signal: AbortSignal,
    most?: number,
  ): Promise<Response> {
    const query = new URLSearchParams({ ...(variables as Parameters), _format: format });
    if (most !== undefined) query.set('_limit', String(most));
    return this.#access.fetch(`${this.#fhirBase}/$sql-run?${query}`, {
      method: 'POST',
      body: sql,
      headers: { accept: ROW_TYPES[format], 'content-type': 'application/sql' },
      cache: 'no-store',
      signal,
    });
  }

  #end(): void {
    clearInterval(this.#clock);
    this.#running = undefined;
    this.isRunning = false;
    this.waiting = '';
  }
}

const secondsSince = (began: number) => Math.round((performance.now() - began) / 1000);

/** Waits; shorter if the signal ends it. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end, { once: true });
  });
}
