import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { Fault, type FaultCode } from '../../../schema/fault.ts';
import { ownedBuffers } from './buffers.ts';
import type { TaskInput, TaskName, TaskResult } from './tasks.ts';

/** What a thread is sent. */
export interface TaskCall {
  name: TaskName;
  input: unknown;
}

/** What it sends back. */
export type Answer =
  { value: unknown } | { damaged: string } | { fault: { code: FaultCode; message: string } };

export interface PoolOptions {
  /** Default: one for each core. */
  threads?: number;
  /** Tasks that may wait (default: 256). */
  queue?: number;
  /** Milliseconds that one task may run (default: 60,000). */
  timeout?: number;
  /** Module that each thread runs (default: `worker.ts` beside this one). */
  worker?: URL;
}

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
 * Threads that decode, transcode and render, so that the event loop does not. They start with the first task.
 * Whoever makes the pool closes it.
 */
export class PixelPool {
  readonly #threads: number;
  readonly #queue: number;
  readonly #timeout: number;
  readonly #worker: URL;
  #piscina: Piscina<TaskCall, Answer> | undefined;
  #running = 0;
  readonly #waiting = new Set<() => void>();
  #closed = false;

  constructor(options: PoolOptions = {}) {
    const { threads = availableParallelism(), queue = 256, timeout = 60_000, worker = WORKER } = options;
    this.#threads = threads;
    this.#queue = queue;
    this.#timeout = timeout;
    this.#worker = worker;
  }

  /**
   * Runs one task in a thread. Buffers that belong to typed arrays of `input` whole are given away with it.
   * @param signal a task that waits is dropped at once; one that runs is not waited for
   * @throws Fault `bad_gateway` for an image that is damaged or asks too much, `unavailable` with `retryAfter` where too
   * many tasks wait, `internal` where the thread ended or the task failed otherwise; what the task throws as a Fault
   */
  async run<N extends TaskName>(name: N, input: TaskInput<N>, signal?: AbortSignal): Promise<TaskResult<N>> {
    signal?.throwIfAborted();
    await this.#turn(signal);
    const work = this.#work({ name, input });
    const answer = await (signal ? unlessAborted(work, signal) : work);
    if ('damaged' in answer) throw undecodable(answer.damaged);
    if ('fault' in answer) throw new Fault(answer.fault.code, answer.fault.message, { service: 'imaging' });
    return answer.value as TaskResult<N>;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const start of [...this.#waiting]) start();
    await this.#piscina?.destroy();
  }

  /** Resolves when a thread is free, which is this task's from then on. */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    this.#throwIfClosed();
    if (this.#running >= this.#threads) {
      if (this.#waiting.size >= this.#queue)
        throw new Fault('unavailable', 'Too many images are being made at the same time.', {
          ...{ service: 'imaging', retryAfter: 2 },
        });
      await new Promise<void>((resolve, reject) => {
        const start = (): void => {
          this.#waiting.delete(start);
          signal?.removeEventListener('abort', drop);
          resolve();
        };
        const drop = (): void => {
          this.#waiting.delete(start);
          reject(signal!.reason as Error);
        };
        this.#waiting.add(start);
        signal?.addEventListener('abort', drop, { once: true });
      });
      this.#throwIfClosed();
    }
    this.#running++;
  }

  async #work(call: TaskCall): Promise<Answer> {
    const timeout = AbortSignal.timeout(this.#timeout);
    try {
      const transferList = ownedBuffers(call.input);
      return await this.#pool().run(call, { transferList, signal: timeout });
    } catch (cause) {
      if (this.#closed) throw stopping();
      // Piscina has ended the thread and starts another.
      if (timeout.aborted) throw undecodable('It takes too long to decode.', cause);
      if ((cause as { code?: string }).code === 'ERR_WORKER_OUT_OF_MEMORY')
        throw undecodable('It takes too much memory to decode.', cause);
      throw new Fault('internal', FAILED, { service: 'imaging', cause });
    } finally {
      this.#running--;
      const [next] = this.#waiting;
      next?.();
    }
  }

  #pool(): Piscina<TaskCall, Answer> {
    if (this.#piscina) return this.#piscina;
    this.#piscina = new Piscina<TaskCall, Answer>({
      filename: this.#worker.href,
      name: 'run',
      minThreads: 0,
      maxThreads: this.#threads,
      idleTimeout: IDLE,
      // Tasks wait for codecs and encoders, which a thread that blocks for its next task would hold up.
      atomics: 'disabled',
      resourceLimits: { maxOldGenerationSizeMb: HEAP },
      execArgv: SOURCES ? ['--import', 'tsx'] : [],
    });
    // A thread that dies between tasks is replaced.
    this.#piscina.on('error', () => undefined);
    return this.#piscina;
  }

  #throwIfClosed(): void {
    if (this.#closed) throw stopping();
  }
}

function stopping(): Fault {
  return new Fault('unavailable', 'The server is stopping.', { retryAfter: 5 });
}

/** The object is there, but is not what its header promises. */
function undecodable(why: string, cause?: unknown): Fault {
  return new Fault('bad_gateway', `The stored image cannot be decoded. ${why}`, {
    service: 'imaging',
    cause,
  });
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
