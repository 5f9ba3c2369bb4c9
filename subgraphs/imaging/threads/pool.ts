import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { Fault, type FaultCode } from '../../../schema/fault/fault.ts';
import { serverStopping } from '../../../schema/fault/refusals.ts';
import { Admission } from './admission.ts';
import { ownedBuffers } from './buffers.ts';
import { ResultFiles } from './result-files.ts';
import type { TaskInput, TaskName, TaskResult } from './tasks.ts';

/** What a thread is sent. */
export interface TaskCall {
  name: TaskName;
  input: unknown;
}

/** What it sends back. */
export type Answer =
  | { value: unknown }
  | { damaged: string }
  | { fault: { code: FaultCode; message: string; retryAfter?: number | undefined } };

export interface PoolOptions {
  /** Default: one for each core. */
  threads?: number;
  /** Light tasks, and heavy ones, that may wait (default: 256). */
  queue?: number;
  /** Milliseconds that one task may run (default: 60,000). */
  timeout?: number;
  /** What is said of an object at which a task fails (default: that its image cannot be decoded). */
  failure?: string;
  /** Module that each thread runs (default: `worker.ts` beside this one). */
  worker?: URL;
}

/** A task whose input is read only once it may run, so that those who wait hold no memory. */
export interface PreparedTask<N extends TaskName> {
  /** Bytes that it takes at its peak, input and result included. */
  weight: number;
  input(): Promise<TaskInput<N>>;
  signal?: AbortSignal | undefined;
  /** Whether the result is waited for although the caller has left: there is something to clean up. */
  toTheEnd?: boolean;
}

/** What a task takes beside its input where nobody says more. */
const USUAL_WEIGHT = 4 * 1024 * 1024;

/** Megabytes of JavaScript heap in each thread; samples and codecs live outside it, and are bounded by themselves. */
const HEAP = 256;
/** Milliseconds without work after which a thread ends, and gives back the memory of its codecs. */
const IDLE = 30_000;

/** Nothing of the image is to blame that we know of: a thread that ended by itself, an error that no task foresees. */
const FAILED = 'The work on the image has failed in the server. Try again, or retrieve it as stored.';

/** From sources a thread needs what compiles them, which the tests' own runner does not pass on. */
const SOURCES = import.meta.url.endsWith('.ts');
const WORKER = new URL(SOURCES ? './worker.ts' : './worker.js', import.meta.url);

/**
 * Threads that decode, transcode and render, so that the event loop does not. They start with the first task. How many
 * tasks run together is decided by the bytes that they take; a heavy one has a thread of its own, which ends with it and
 * gives back all its memory, that of codecs included. Whoever makes the pool closes it.
 */
export class PixelPool {
  /** Large results, on their way to whoever reads them. */
  readonly results: ResultFiles;
  readonly #threads: number;
  readonly #admission: Admission;
  readonly #timeout: number;
  readonly #failure: string;
  readonly #worker: URL;
  #kept: Piscina<TaskCall, Answer> | undefined;
  readonly #own = new Set<Piscina<TaskCall, Answer>>();
  #closed = false;

  constructor(options: PoolOptions = {}) {
    const { threads = availableParallelism(), queue = 256, timeout = 60_000, worker = WORKER } = options;
    this.#threads = threads;
    this.#admission = new Admission(threads, queue);
    this.results = new ResultFiles(queue);
    this.#timeout = timeout;
    this.#failure = options.failure ?? 'The stored image cannot be decoded.';
    this.#worker = worker;
  }

  /**
   * Runs one task in a thread. Buffers that belong to typed arrays of `input` whole are given away with it.
   * @param signal a task that waits is dropped at once; one that runs is not waited for
   * @throws Fault `bad_gateway` for an image that is damaged, `too_large` for a task that never has room, `unavailable`
   * with `retryAfter` where too many tasks wait, `internal` where the thread ended or the task failed otherwise; what the
   * task throws as a Fault
   */
  run<N extends TaskName>(name: N, input: TaskInput<N>, signal?: AbortSignal): Promise<TaskResult<N>> {
    const held = ownedBuffers(input).reduce((sum, { byteLength }) => sum + byteLength, 0);
    return this.#run(name, { weight: held + USUAL_WEIGHT, input: async () => input, signal }, held);
  }

  /** The same for a task that says how much memory it takes, and whose input comes later. */
  runPrepared<N extends TaskName>(name: N, task: PreparedTask<N>): Promise<TaskResult<N>> {
    return this.#run(name, task, 0);
  }

  async #run<N extends TaskName>(
    name: N,
    { weight, input, signal, toTheEnd = false }: PreparedTask<N>,
    held: number,
  ): Promise<TaskResult<N>> {
    this.#throwIfClosed();
    const { heavy, release } = await this.#admission.take(weight, held, signal);
    const work = (async () => this.#work({ name, input: await input() }, heavy))().finally(release);
    const answer = await (signal && !toTheEnd ? unlessAborted(work, signal) : work);
    if ('damaged' in answer) throw this.#failed(answer.damaged);
    if ('fault' in answer) {
      const { code, message, retryAfter } = answer.fault;
      throw new Fault(code, message, { service: 'imaging', ...(retryAfter !== undefined && { retryAfter }) });
    }
    return answer.value as TaskResult<N>;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#admission.close(serverStopping());
    this.results.close(serverStopping());
    await Promise.all([this.#kept, ...this.#own].map((piscina) => piscina?.destroy()));
  }

  async #work(call: TaskCall, heavy: boolean): Promise<Answer> {
    this.#throwIfClosed();
    const timeout = AbortSignal.timeout(this.#timeout);
    const piscina = heavy ? this.#started(1) : (this.#kept ??= this.#started(this.#threads));
    if (heavy) this.#own.add(piscina);
    try {
      const transferList = ownedBuffers(call.input);
      return await piscina.run(call, { transferList, signal: timeout });
    } catch (cause) {
      if (this.#closed) throw serverStopping();
      // Piscina has ended the thread and starts another.
      if (timeout.aborted) throw this.#failed('It takes too long to decode.', cause);
      if ((cause as { code?: string }).code === 'ERR_WORKER_OUT_OF_MEMORY')
        throw this.#failed('It takes too much memory to decode.', cause);
      throw new Fault('internal', FAILED, { service: 'imaging', cause });
    } finally {
      if (heavy) {
        this.#own.delete(piscina);
        await piscina.destroy();
      }
    }
  }

  #started(threads: number): Piscina<TaskCall, Answer> {
    const piscina = new Piscina<TaskCall, Answer>({
      filename: this.#worker.href,
      name: 'run',
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: IDLE,
      // Tasks wait for codecs and encoders, which a thread that blocks for its next task would hold up.
      atomics: 'disabled',
      resourceLimits: { maxOldGenerationSizeMb: HEAP },
      execArgv: SOURCES ? ['--import', 'tsx'] : [],
    });
    // A thread that dies between tasks is replaced.
    piscina.on('error', () => undefined);
    return piscina;
  }

  /** The object is there, but is not what its header promises. */
  #failed(why: string, cause?: unknown): Fault {
    return new Fault('bad_gateway', `${this.#failure} ${why}`, { service: 'imaging', cause });
  }

  #throwIfClosed(): void {
    if (this.#closed) throw serverStopping();
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
