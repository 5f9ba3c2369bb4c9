import { Piscina } from 'piscina';
import { Fault } from '../../../../schema/fault/fault.ts';
import { serverStopping } from '../../../../schema/fault/refusals.ts';
import { threadLimits, threadOptions } from '../../../../schema/process/thread-limits.ts';
import { threadModule } from '../../../../schema/process/thread-module.ts';
import type { Answer, Question } from './question.ts';

/** Two: a search that takes long does not stop all others. */
const THREADS = 2;
/** Megabytes of JavaScript heap of a thread: a page is at most a few megabytes of text. */
const HEAP = 48;
/** Milliseconds without questions after which a thread ends, and gives its memory back. */
const IDLE = 10_000;
/** Milliseconds that a question may take. */
const TIMEOUT = 60_000;
/** Questions that may wait. */
const QUEUE = 1_000;

const WORKER = threadModule('query-thread', import.meta.url);

/**
 * Threads that answer questions to the databases of stores, so that no search blocks the event loop. They start with the
 * first question. The creator closes them.
 */
export class QueryThreads {
  #piscina: Piscina<Question, Answer> | undefined;
  #closed = false;

  /**
   * @throws Fault `unavailable` with `retryAfter` when too many questions wait, `too_large` for one that takes too long,
   * `internal` when it fails
   */
  async ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    if (this.#closed) throw serverStopping();
    signal?.throwIfAborted();
    this.#piscina ??= started();
    if (this.#piscina.queueSize >= QUEUE) {
      throw new Fault('unavailable', 'Too many searches wait at the same time.', {
        ...SERVICE,
        retryAfter: 2,
      });
    }
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(), TIMEOUT);
    try {
      return await this.#piscina.run(question, { signal: ending.signal });
    } catch (cause) {
      if (this.#closed) throw serverStopping();
      if (ending.signal.aborted) {
        throw new Fault('too_large', 'The search takes too long: search more narrowly.', {
          ...SERVICE,
          cause,
        });
      }
      throw new Fault('internal', 'The search has failed in the server.', { ...SERVICE, cause });
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#piscina?.destroy();
  }
}

const SERVICE = { service: 'clinical' } as const;

function started(): Piscina<Question, Answer> {
  const piscina = new Piscina<Question, Answer>({
    ...{ filename: WORKER.href, name: 'answer' },
    ...{ minThreads: 0, maxThreads: THREADS, idleTimeout: IDLE },
    resourceLimits: threadLimits(HEAP),
    execArgv: threadOptions(WORKER),
  });
  // A thread that dies between questions is replaced.
  piscina.on('error', () => undefined);
  return piscina;
}
