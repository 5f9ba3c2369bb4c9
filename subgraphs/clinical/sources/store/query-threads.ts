import { IdleThreads } from '../../../../schema/process/idle-threads.ts';
import { threadModule } from '../../../../schema/process/thread-module.ts';
import type { Answer, Question } from './question.ts';

/**
 * Threads that answer questions to the databases of stores, so that no search blocks the event loop. The creator closes
 * them.
 */
export class QueryThreads {
  readonly #threads = new IdleThreads<Question, Answer>({
    ...{ module: threadModule('query-thread', import.meta.url), name: 'answer' },
    // A search that takes long does not stop all others.
    threads: 2,
    // A page is at most a few megabytes of text.
    heap: 48,
    ...{ idle: 10_000, queue: 1_000, timeout: 60_000 },
    messages: {
      tooMany: 'Too many searches wait at the same time.',
      tooLong: 'The search takes too long: search more narrowly.',
      failed: 'The search has failed in the server.',
    },
    service: 'clinical',
  });

  /** @throws Fault as `IdleThreads.run` */
  ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    return this.#threads.run(question, signal);
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }
}
