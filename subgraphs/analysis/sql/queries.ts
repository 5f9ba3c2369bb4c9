import type { Readable } from 'node:stream';
import { availableParallelism } from 'node:os';
import { Fault } from '../../../schema/fault/fault.ts';
import { LEFT } from '../../../schema/fault/left.ts';
import { serverStopping } from '../../../schema/fault/refusals.ts';
import { faultOf, SENTENCES } from './finding.ts';
import { QueryProcess, type SqlEnd } from './query-process.ts';
import { SQL_FORMATS, type ProcessSettings, type SqlHead, type SqlQuestion } from './query.ts';

/** Limits of questions; see `LIMITS` for those of the product. */
export interface SqlLimits {
  /** Bytes of a statement. */
  text: number;
  /** Milliseconds until the first row; until the last. */
  first: number;
  whole: number;
  /** Milliseconds for which a process waits for the next question. */
  idle: number;
  /** Questions at once: of one client, of all. */
  client: number;
  all: number;
  /** Megabytes: see `ProcessSettings`. */
  memory: ProcessSettings['memory'];
}

const LIMITS: SqlLimits = {
  text: 65_536,
  first: 30_000,
  whole: 600_000,
  idle: 300_000,
  client: 2,
  all: 4,
  memory: { engine: 512, process: 1024, temporary: 4096 },
};

/** Threads of one engine: two questions leave half of a large machine to the others. */
const THREADS = Math.max(1, Math.min(4, Math.ceil(availableParallelism() / 2)));
/** Seconds after which a client that asks too much may ask again. */
const AGAIN = 2;

export interface SqlRequest extends SqlQuestion {
  /** The DuckDB file with the rows of the caller. */
  reach: string;
}

export interface SqlAnswer extends SqlHead {
  /** Media type of the body. */
  type: string;
  /** The rows. A failure after the first breaks it off with a fault. */
  body: Readable;
  /** Resolves at the end, for the audit. The fault tells why rows are missing. */
  ended: Promise<SqlEnd>;
}

/**
 * Answers SQL over the rows of reaches, each question in a process that can read this one reach and nothing else. A process
 * is kept for a while for the next question. The creator closes it.
 */
export class SqlQueries {
  readonly #folder: string;
  readonly #limits: SqlLimits;
  readonly #processes = new Set<QueryProcess>();
  readonly #timers = new Map<QueryProcess, NodeJS.Timeout>();
  readonly #running = new Map<string, number>();
  #isClosed = false;

  /** @param folder for what queries put aside: a folder on a disk with room, that no other user may read */
  constructor(folder: string, limits: Partial<SqlLimits> = {}) {
    this.#folder = folder;
    this.#limits = { ...LIMITS, ...limits };
  }

  /**
   * Takes a turn for a client: before any work for its question, and until the answer has ended.
   * @returns a function that ends the turn; later calls do nothing
   * @throws Fault `too_many_requests`
   */
  admit(client: string): () => void {
    if (this.#isClosed) throw serverStopping();
    const { client: most, all } = this.#limits;
    const own = this.#running.get(client) ?? 0;
    const sum = [...this.#running.values()].reduce((one, other) => one + other, 0);
    if (own >= most) throw tooMany(`A client may have ${most} queries at once.`);
    if (sum >= all) throw tooMany('Too many queries are being answered.');
    this.#running.set(client, own + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const count = this.#running.get(client)! - 1;
      if (count > 0) this.#running.set(client, count);
      else this.#running.delete(client);
    };
  }

  /** Answers a question in a turn of its own. @throws Fault as `admit`, and that of the answer */
  async inTurn(client: string, answer: () => Promise<SqlAnswer>): Promise<SqlAnswer> {
    const end = this.admit(client);
    try {
      const answered = await answer();
      void answered.ended.then(end);
      return answered;
    } catch (error) {
      end();
      throw error;
    }
  }

  /**
   * Answers one question of a client who has a turn. Resolves with its first rows.
   * @param signal of the caller: an answer that nobody reads is given up
   * @throws Fault `invalid_request` for parameters, `too_large` for a long text, `unprocessable` for what is refused or takes
   * too long or too much, `unavailable` when the reach cannot be opened or no process be started, `not_implemented` without an
   * engine
   */
  async answer({ reach, ...question }: SqlRequest, signal?: AbortSignal): Promise<SqlAnswer> {
    const { text, first, whole } = this.#limits;
    const texts = [question.sql, ...(question.views ?? []).map((view) => ('sql' in view ? view.sql : ''))];
    if (texts.reduce((sum, one) => sum + Buffer.byteLength(one), 0) > text)
      throw new Fault(
        'too_large',
        `A statement and its views may have ${text / 1024} kB; send lists as parameters or join them.`,
      );
    const process = this.#processFor(reach);
    const ending = new AbortController();
    const stop = (fault: Fault) => () => ending.abort(fault);
    const late = faultOf({ kind: 'statement', message: SENTENCES.time });
    const [firstTimer, wholeTimer] = [setTimeout(stop(late), first), setTimeout(stop(late), whole)];
    const left = stop(new Fault('unavailable', 'The client has left.', { cause: LEFT }));
    if (signal?.aborted) left();
    signal?.addEventListener('abort', left);
    const { began, ended } = process.ask(question, ending.signal);
    void ended.then(() => {
      [firstTimer, wholeTimer].forEach(clearTimeout);
      signal?.removeEventListener('abort', left);
      this.#keep(process);
    });
    const { head, body } = await began;
    clearTimeout(firstTimer);
    body.once('close', left);
    return { ...head, type: SQL_FORMATS[question.format], body, ended };
  }

  /** Ends the processes of a reach, before it is deleted or because its rights are gone. */
  forget(reach: string): void {
    for (const process of this.#processes) {
      if (process.reach === reach) process.kill(faultOf({ kind: 'unavailable', message: SENTENCES.tables }));
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const process of this.#processes) process.kill(serverStopping());
    await Promise.all([...this.#processes].map(({ closed }) => closed));
  }

  /** @throws Fault `unavailable` when the system cannot start one */
  #processFor(reach: string): QueryProcess {
    if (this.#isClosed) throw serverStopping();
    const idle = [...this.#processes].filter(({ isIdle }) => isIdle);
    const found = idle.find((process) => process.reach === reach);
    if (found) {
      clearTimeout(this.#timers.get(found));
      // The one that was used last is the last to go.
      this.#processes.delete(found);
      this.#processes.add(found);
      return found;
    }
    if (this.#processes.size >= this.#limits.all) idle[0]?.kill();
    const { memory } = this.#limits;
    const process = QueryProcess.start(this.#folder, { reach, memory, threads: THREADS });
    this.#processes.add(process);
    void process.closed.then(() => {
      this.#processes.delete(process);
      clearTimeout(this.#timers.get(process));
      this.#timers.delete(process);
    });
    return process;
  }

  #keep(process: QueryProcess): void {
    if (!process.isIdle) return;
    this.#timers.set(process, setTimeout(() => process.kill(), this.#limits.idle).unref());
  }
}

const tooMany = (message: string): Fault =>
  new Fault('too_many_requests', `${message} Wait for the end of one.`, { retryAfter: AGAIN });
