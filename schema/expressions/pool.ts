import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { Fault } from '../fault/fault.ts';
import { threadLimits, threadOptions } from '../process/thread-limits.ts';
import { threadModule } from '../process/thread-module.ts';
import { serverStopping } from '../fault/refusals.ts';
import { RequestValues } from '../process/request-values.ts';
import { Budget } from './budget.ts';
import type { Answer, primitives, select, Task, texts } from './worker.ts';

export interface ExpressionPoolOptions {
  /** Largest number of evaluations at the same time (default: number of cores minus one, at least 1 and at most 2). */
  atOnce?: number;
  /** Largest number of waiting evaluations (default: 1,000). */
  queue?: number;
}

/** Milliseconds of clock time after which a thread is ended that did not end its evaluation; its start counts too. */
const TIMEOUT = 60_000;
/** Megabytes of JavaScript heap in each thread; the engine and its FHIR model take 20. */
const HEAP = 128;

const WORKER = threadModule('worker', import.meta.url);

type Work = { select: typeof select; texts: typeof texts; primitives: typeof primitives };
type Result<N extends keyof Work> = ReturnType<Work[N]> extends Answer<infer T> ? T : never;

/**
 * Threads that judge and evaluate FHIRPath of other parties off the event loop (FG-23). One spare thread is kept ready for
 * when another is ended. The owner of the pool closes it.
 */
export class ExpressionPool {
  readonly #atOnce: number;
  readonly #queue: number;
  #piscina: Piscina | undefined;
  #running = 0;
  readonly #waiting: { spent: number; start: () => void }[] = [];
  readonly #budgets = new RequestValues<object, Budget>();
  #closed = false;

  constructor(options: ExpressionPoolOptions = {}) {
    const { atOnce = Math.min(2, Math.max(1, availableParallelism() - 1)), queue = 1000 } = options;
    this.#atOnce = atOnce;
    this.#queue = queue;
  }

  /** Returns the time budget that all expressions of a request share. @param request any object that identifies it */
  budgetOf(request: object): Budget {
    const budget = this.#budgets.get(request) ?? new Budget();
    this.#budgets.set(request, budget);
    return budget;
  }

  /**
   * Evaluates an expression for each item of a JSON array.
   * @param task is called when a thread is free, so that no large data wait
   * @param subject of error messages about the expression
   * @returns `select`: for each item whether the expression is true; `texts`: the texts of each item; `primitives`: its
   * values, all of which must be primitive; undefined for an item
   * whose evaluation failed. The answer may cover only the first items
   * @throws Fault `invalid_request` when the expression is refused, takes longer than 50 ms, or the budget is used up;
   * `unavailable` with `retryAfter` when too many wait
   */
  run<N extends keyof Work>(
    name: N,
    task: () => Task,
    { subject, budget }: { subject: string; budget: Budget },
  ): Promise<Result<N>[]> {
    return budget.inTurn(async () => {
      await this.#turn(budget.spent);
      try {
        const answer = await this.#evaluated(name, task());
        budget.spend(answer.milliseconds);
        if ('refused' in answer) throw new Fault('invalid_request', `${subject} ${answer.refused}.`);
        return answer.results as Result<N>[];
      } finally {
        this.#next();
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { start } of this.#waiting.splice(0)) start();
    await this.#piscina?.destroy();
  }

  /** Resolves when a thread is free, and takes it. Requests that have used the least time come first. */
  async #turn(spent: number): Promise<void> {
    this.#throwIfClosed();
    if (this.#running < this.#atOnce) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= this.#queue) {
      throw new Fault('unavailable', 'Too many FHIRPath expressions wait at the same time.', {
        retryAfter: 2,
      });
    }
    await new Promise<void>((start) => this.#waiting.push({ spent, start }));
    this.#throwIfClosed();
  }

  /** Passes the turn of an evaluation that has ended to the next. */
  #next(): void {
    if (this.#waiting.length === 0) return void this.#running--;
    let least = 0;
    this.#waiting.forEach(({ spent }, index) => {
      if (spent < this.#waiting[least]!.spent) least = index;
    });
    this.#waiting.splice(least, 1)[0]!.start();
  }

  async #evaluated(name: keyof Work, task: Task): Promise<Answer<unknown>> {
    // Started at the first expression: each thread takes 25 MB, and many gateways get no expression.
    this.#piscina ??= this.#started();
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(), TIMEOUT);
    try {
      return (await this.#piscina.run(task, { name, signal: ending.signal })) as Answer<unknown>;
    } catch (cause) {
      if (this.#closed) throw serverStopping();
      // Piscina has ended the thread and starts a new one.
      if (ending.signal.aborted) return { refused: 'takes too long', milliseconds: TIMEOUT };
      if ((cause as { code?: string }).code === 'ERR_WORKER_OUT_OF_MEMORY') {
        return { refused: 'takes too much memory', milliseconds: TIMEOUT };
      }
      throw new Fault('internal', 'The FHIRPath expression could not be evaluated. Try again.', { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  #started(): Piscina {
    const threads = this.#atOnce + 1;
    const piscina = new Piscina({
      // The name makes the threads load the module when they start.
      filename: WORKER.href,
      name: 'select' satisfies keyof Work,
      minThreads: threads,
      maxThreads: threads,
      resourceLimits: threadLimits(HEAP),
      execArgv: threadOptions(WORKER),
    });
    // A thread that fails before it is ready is not replaced: the next expression starts all threads again.
    piscina.on('error', () => {
      if (this.#piscina === piscina) this.#piscina = undefined;
      void piscina.destroy();
    });
    return piscina;
  }

  #throwIfClosed(): void {
    if (this.#closed) throw serverStopping();
  }
}
