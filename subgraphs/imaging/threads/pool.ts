import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { Fault, type FaultCode } from '../../../schema/fault/fault.ts';
import { threadLimits, threadOptions } from '../../../schema/process/thread-limits.ts';
import { threadModule } from '../../../schema/process/thread-module.ts';
import { serverStopping } from '../../../schema/fault/refusals.ts';
import { Admission } from './admission.ts';
import { ownedBuffers } from './buffers.ts';
import { ResultFiles } from './result-files.ts';
import type { TaskInput, TaskName, TaskResult } from './tasks.ts';

/** Message to a thread. */
export interface TaskCall {
  name: TaskName;
  input: unknown;
}

/** Message from a thread. */
export type Answer =
  | { value: unknown }
  | { damaged: string }
  | { fault: { code: FaultCode; message: string; retryAfter?: number | undefined } };

export interface PoolOptions {
  /** Number of threads (default: one for each core). */
  threads?: number;
  /** Number of light tasks, and of heavy ones, that may wait (default: 256). */
  queue?: number;
  /** Milliseconds that one task may run (default: 60,000). */
  timeout?: number;
  /** Message for an object whose task fails (default: that its image cannot be decoded). */
  failure?: string;
  /** Module that each thread runs (default: `worker` beside this one). */
  worker?: URL;
}

/** A task whose input is read only when it may run, so that waiting tasks hold no memory. */
export interface PreparedTask<N extends TaskName> {
  /** Bytes that it takes at its peak, with input and result. */
  weight: number;
  input(): Promise<TaskInput<N>>;
  signal?: AbortSignal | undefined;
  /** True to wait for the result after the caller has left, to clean up. */
  toTheEnd?: boolean;
}

/** Bytes of a task besides its input, if it announces nothing else. */
const USUAL_WEIGHT = 4 * 1024 * 1024;

/** Megabytes of JavaScript heap of a thread. Samples and codecs are outside it, and have their own limits. */
const HEAP = 256;
/** Milliseconds without work after which a thread ends, which frees the memory of its codecs. */
const IDLE = 30_000;

/** Message when a thread ended or an unexpected error occurred, and the image is probably not the cause. */
const FAILED = 'The work on the image has failed in the server. Try again, or retrieve it as stored.';

const WORKER = threadModule('worker', import.meta.url);

/**
 * Threads that decode, transcode and render outside the event loop. They start with the first task. The bytes that
 * tasks take decide how many run together. A heavy task gets a new thread, which ends with it and frees all memory,
 * also of codecs. The creator of the pool closes it.
 */
export class PixelPool {
  /** Large results until they are read. */
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
   * Runs one task in a thread. Buffers that typed arrays of `input` fill completely are transferred.
   * @param signal drops a waiting task at once; a running task continues, but is not awaited
   * @throws Fault `bad_gateway` for a damaged image, `too_large` for a task above the limit, `unavailable` with
   * `retryAfter` when too many tasks wait, `internal` when the thread ended or the task failed otherwise; Faults of the
   * task
   */
  run<N extends TaskName>(name: N, input: TaskInput<N>, signal?: AbortSignal): Promise<TaskResult<N>> {
    const held = ownedBuffers(input).reduce((sum, { byteLength }) => sum + byteLength, 0);
    return this.#run(name, { weight: held + USUAL_WEIGHT, input: async () => input, signal }, held);
  }

  /** As `run`, for a task that announces its memory and whose input is read later. */
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
      throw new Fault(code, message, { service: 'imaging', retryAfter });
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
      // Piscina has ended the thread, and starts another.
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
      // A thread that blocks for its next task would delay codecs and encoders that tasks wait for.
      atomics: 'disabled',
      resourceLimits: threadLimits(HEAP),
      execArgv: threadOptions(this.#worker),
    });
    // A thread that dies between tasks is replaced.
    piscina.on('error', () => undefined);
    return piscina;
  }

  /** Returns the fault for an object that does not match its header. */
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
