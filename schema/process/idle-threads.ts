import { Piscina } from 'piscina';
import { Fault, type FaultDetails } from '../fault/fault.ts';
import { serverStopping } from '../fault/refusals.ts';
import { threadLimits, threadOptions } from './thread-limits.ts';

export interface IdleThreadsOptions {
  /** Module whose exported function `name` runs in the threads. */
  module: URL;
  name: string;
  /** Threads at the same time. */
  threads: number;
  /** Megabytes of JavaScript heap of a thread. */
  heap: number;
  /** Milliseconds without tasks after which a thread ends, and gives its memory back. */
  idle: number;
  /** Tasks that may wait for a thread. */
  queue: number;
  /** Milliseconds that a task may take, waiting included. Its thread is ended then. */
  timeout: number;
  /** Messages for the caller: too many tasks wait, a task takes too long, a task fails. */
  messages: { tooMany: string; tooLong: string; failed: string };
  /** The service in these faults. */
  service?: FaultDetails['service'];
  /** `workerData` of each thread. */
  data?: unknown;
}

/** Milliseconds that a task of a caller who has left may still take: most end sooner than a thread would start again. */
const AFTER_CALLER = 1_000;

/** Threads that start with the first task and end when they are idle. The creator closes them. */
export class IdleThreads<Task, Answer> {
  readonly #options: IdleThreadsOptions;
  #piscina: Piscina<Task, Answer> | undefined;
  #closed = false;

  constructor(options: IdleThreadsOptions) {
    this.#options = options;
  }

  /**
   * @param signal of the caller: a task that nobody waits for is given up, and a long one ended with its thread
   * @throws Fault `unavailable` with `retryAfter` when too many tasks wait or the threads are closed, `too_large` for a task
   * that takes too long, `internal` when it fails; the reason of the signal
   */
  async run(task: Task, signal?: AbortSignal): Promise<Answer> {
    const { queue, timeout, messages, service } = this.#options;
    const details = service && { service };
    signal?.throwIfAborted();
    if (this.#closed) throw serverStopping();
    this.#piscina ??= this.#started();
    if (this.#piscina.queueSize >= queue)
      throw new Fault('unavailable', messages.tooMany, { ...details, retryAfter: 2 });
    const ending = new AbortController();
    const timers = [setTimeout(() => ending.abort(), timeout)];
    const left = () => timers.push(setTimeout(() => ending.abort(), AFTER_CALLER));
    signal?.addEventListener('abort', left);
    try {
      return await this.#piscina.run(task, { signal: ending.signal });
    } catch (cause) {
      signal?.throwIfAborted();
      if (this.#closed) throw serverStopping();
      if (ending.signal.aborted) throw new Fault('too_large', messages.tooLong, { ...details, cause });
      throw new Fault('internal', messages.failed, { ...details, cause });
    } finally {
      signal?.removeEventListener('abort', left);
      timers.forEach(clearTimeout);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#piscina?.destroy();
  }

  #started(): Piscina<Task, Answer> {
    const { module, name, threads, heap, idle, data } = this.#options;
    const piscina = new Piscina<Task, Answer>({
      filename: module.href,
      name,
      workerData: data,
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: idle,
      resourceLimits: threadLimits(heap),
      execArgv: threadOptions(module),
    });
    // A thread that dies between tasks is replaced.
    piscina.on('error', () => undefined);
    return piscina;
  }
}
