import { Fault } from '../../../../schema/fault/fault.ts';
import { IdleThreads } from '../../../../schema/process/idle-threads.ts';
import { threadModule } from '../../../../schema/process/thread-module.ts';
import { LONG, newestOfIn, type Answer, type Question, type QuestionForms } from './question.ts';

/** A search that takes long does not stop all others. */
const THREADS = 2;
/** Most questions of one message. */
const TOGETHER = 8;

/** A short question that waits for the next message. */
interface Waiting {
  question: Question;
  resolve(answer: Answer): void;
  reject(cause: unknown): void;
}

/**
 * Threads that answer questions to the databases of stores, so that no search blocks the event loop. A message to a thread
 * takes as long as a small search: while all threads are busy, short questions are gathered for one message. The creator
 * closes them.
 */
export class QueryThreads {
  readonly #threads = new IdleThreads<readonly Question[], readonly Answer[]>({
    module: threadModule('query-thread', import.meta.url),
    name: 'answer',
    threads: THREADS,
    // A page is at most a few megabytes of text.
    heap: 48,
    idle: 10_000,
    queue: 1_000,
    timeout: 60_000,
    messages: {
      tooMany: 'Too many searches wait at the same time.',
      tooLong: 'The search takes too long: search more narrowly.',
      failed: 'The search has failed in the server.',
    },
    service: 'clinical',
  });
  #waiting: Waiting[] = [];
  /** Questions of pages, by page, until their turn of the event loop is over. */
  readonly #pages = new Map<string, Waiting[]>();
  /** Messages of questions that waited, without an answer yet. */
  #messages = 0;

  /**
   * Puts a question in its short form; alone, if it has none, or is too long for that.
   * @throws Fault as `IdleThreads.run`
   */
  async ask({ short, whole }: QuestionForms, signal?: AbortSignal): Promise<Answer> {
    signal?.throwIfAborted();
    const question = short();
    const answer = question ? await this.#together(question) : LONG;
    signal?.throwIfAborted();
    if (!('refused' in answer) || answer.refused !== 'long') return answer;
    const [alone] = await this.#threads.run([whole()], signal);
    return alone!;
  }

  /** Returns the answer; `long` for a question that has to be put alone. */
  #together(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const waiting = { question, resolve, reject };
      const page = newestOfIn(question)?.page;
      if (page !== undefined) return this.#gather(page, waiting);
      this.#waiting.push(waiting);
      this.#send();
    });
  }

  /** Gathers the questions of a page, which are put in the same turn of the event loop, for one message. */
  #gather(page: string, waiting: Waiting): void {
    const gathered = this.#pages.get(page);
    if (gathered) return void gathered.push(waiting);
    const all = [waiting];
    this.#pages.set(page, all);
    setImmediate(() => {
      this.#pages.delete(page);
      this.#waiting.push(...all);
      this.#send();
    });
  }

  /** Sends the questions that wait, unless more may come before a thread is idle. */
  #send(): void {
    const { length } = this.#waiting;
    if (length === 0 || (this.#messages >= THREADS && length < TOGETHER)) return;
    const sent = this.#waiting;
    this.#waiting = [];
    this.#messages++;
    void this.#answers(sent.map(({ question }) => question))
      .then(
        (answers) => sent.forEach(({ resolve }, at) => resolve(answers[at]!)),
        (error: unknown) => sent.forEach(({ reject }) => reject(error)),
      )
      .finally(() => {
        this.#messages--;
        this.#send();
      });
  }

  /** Asks a thread. A question that fails does not fail the others: each is put again, alone. */
  async #answers(questions: readonly Question[]): Promise<readonly Answer[]> {
    try {
      return await this.#threads.run(questions);
    } catch (error) {
      if (error instanceof Fault && error.code === 'internal') return questions.map(() => LONG);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#threads.close();
  }
}
