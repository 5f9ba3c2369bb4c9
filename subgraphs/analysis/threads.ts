import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { Semaphore } from '../../schema/concurrency/semaphore.ts';
import { serverStopping } from '../../schema/fault/refusals.ts';
import type { JoinRule } from '../../schema/fhir/accession-types.ts';
import { threadLimits, threadOptions } from '../../schema/process/thread-limits.ts';
import { threadModule } from '../../schema/process/thread-module.ts';
import type { BuiltTable } from './build.ts';
import { errorOf, isFailed, type Failed } from './failed.ts';
import { giveBatches, type Clock, type Feeds, type FromCreator } from './feeds.ts';
import { tooCostly, type InlineTask } from './inline-tables.ts';
import type { ReachTask } from './reach-file.ts';

/** Megabytes of JavaScript heap of a thread: a build keeps the ways of the record to studies. */
const HEAP = { build: 512, reach: 512, inline: 256 };
/** Milliseconds without work after which a thread ends, and gives its memory back. */
const IDLE = 2_000;
/** Milliseconds in which work that is given up may end by itself, so that its engine is closed in order. */
const STOPPED_AFTER = { build: 5_000, inline: 1_000 };
/** Milliseconds for which a thread may work on the tables of a request. The time of its searches does not count. */
const INLINE_TIME = 30_000;

/** Threads of each kind. A large reach does not stop the others. */
const AT_ONCE = { build: 1, reach: 2, inline: 2 };
type Kind = keyof typeof AT_ONCE;

/** The data of which a thread builds a dataset. */
export interface BuildTask {
  /** Folder of the dataset; it exists. */
  folder: string;
  /** ViewDefinitions of the tenant, besides our own. */
  views: readonly unknown[];
  /** Keywords of `analysis.dicom`. */
  dicom: readonly string[];
  record: { file: string; joins: JoinRule } | undefined;
  indexes: readonly string[];
}

/** The same with what a thread gets besides. The state counts resources, studies and instances. */
export type ThreadBuild = BuildTask & FromCreator;

/** A build that runs. */
export interface RunningBuild {
  tables: Promise<readonly BuiltTable[]>;
  /** Resources, studies and instances so far. */
  progress(): number;
}

/** The batches of work in a thread, and the signal that gives it up. */
interface Fed {
  feeds: Feeds;
  state: Int32Array;
  signal: AbortSignal;
  clock?: Clock;
}

/**
 * Threads of all tenants, in which datasets, reaches and the tables of requests are made. The creator closes them.
 * @param module exports `build`, which takes a `ThreadBuild`: a dataset is made of what only the composition root knows
 */
export class AnalysisThreads {
  readonly #modules: Readonly<Record<Kind, URL>>;
  readonly #inlineTime: number;
  readonly #turns = { reach: new Semaphore(AT_ONCE.reach), inline: new Semaphore(AT_ONCE.inline) };
  readonly #pools = new Map<Kind, Piscina>();
  readonly #stops = new Set<() => Promise<void>>();
  #closed = false;

  /** @param inlineTime milliseconds for which a thread may work on the tables of a request (default: 30,000) */
  constructor(module: URL, inlineTime = INLINE_TIME) {
    const [reach, inline] = ['reach-thread', 'inline-thread'].map((name) =>
      threadModule(name, import.meta.url),
    ) as [URL, URL];
    this.#modules = { build: module, reach, inline };
    this.#inlineTime = inlineTime;
  }

  /**
   * Begins to build a dataset.
   * @param feeds `studies` and `instances`, which are made in this thread
   * @param signal gives it up
   */
  build(task: BuildTask, feeds: Feeds, signal: AbortSignal): RunningBuild {
    const state = newState();
    const built = this.#fed<{ tables: readonly BuiltTable[] }>('build', task, { feeds, state, signal });
    return { tables: built.then(({ tables }) => tables), progress: () => Atomics.load(state, 1) };
  }

  /**
   * Makes the file of a reach.
   * @param signal drops it while it waits for a thread; one that is being made is made
   * @throws Fault `unavailable` when the disk is full
   */
  async reach(task: ReachTask, signal: AbortSignal): Promise<void> {
    const done = await this.#turns.reach.acquire(signal);
    try {
      const failed = await this.#run<Failed | undefined>('reach', task, {});
      if (failed) throw errorOf(failed);
    } finally {
      done();
    }
  }

  /**
   * Makes the tables of a request.
   * @param feeds the resources of each table, by its name
   * @param signal gives it up
   * @throws Fault `unprocessable` for wrong views, and for those that need too much; the error of a feed
   */
  async inline(task: InlineTask, feeds: Feeds, signal: AbortSignal): Promise<void> {
    const done = await this.#turns.inline.acquire(signal);
    const { clock, late, stop } = clockOf(this.#inlineTime);
    const over = AbortSignal.any([signal, late]);
    try {
      await this.#fed('inline', task, { feeds, state: newState(), signal: over, clock });
    } catch (error) {
      throw isOutOfMemory(error) ? tooCostly('memory', error) : error;
    } finally {
      stop();
      done();
    }
  }

  /** Runs work that takes batches of this thread. */
  async #fed<Answer>(
    kind: keyof typeof STOPPED_AFTER,
    task: object,
    { feeds, state, signal, clock }: Fed,
  ): Promise<Answer> {
    const { port1, port2 } = new MessageChannel();
    const feeding = giveBatches(port1, feeds, { signal, clock });
    const ending = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      Atomics.store(state, 0, 1);
      timer ??= setTimeout(() => ending.abort(), STOPPED_AFTER[kind]);
    };
    signal.addEventListener('abort', stop);
    const given: FromCreator = { feeds: port2, state };
    const run = { transferList: [port2], signal: ending.signal };
    const running = this.#run<Answer | Failed>(kind, { ...task, ...given }, run);
    const stopped = async (): Promise<void> => {
      stop();
      await running.catch(() => undefined);
    };
    this.#stops.add(stopped);
    try {
      if (signal.aborted) stop();
      const answer = await running;
      signal.throwIfAborted();
      // The error of a feed says more than the message that the thread got of it.
      if (isFailed(answer)) throw feeding.failure() ?? errorOf(answer);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      this.#stops.delete(stopped);
      signal.removeEventListener('abort', stop);
      clearTimeout(timer);
      feeding.close();
    }
  }

  async #run<Answer>(
    name: Kind,
    task: unknown,
    options: { transferList?: MessagePort[]; signal?: AbortSignal },
  ): Promise<Answer> {
    if (this.#closed) throw serverStopping();
    let pool = this.#pools.get(name);
    if (!pool) this.#pools.set(name, (pool = this.#started(name)));
    try {
      return (await pool.run(task, options)) as Answer;
    } catch (error) {
      throw this.#closed ? serverStopping() : error;
    }
  }

  #started(name: Kind): Piscina {
    const pool = new Piscina({
      filename: this.#modules[name].href,
      name,
      minThreads: 0,
      maxThreads: AT_ONCE[name],
      idleTimeout: IDLE,
      resourceLimits: threadLimits(HEAP[name]),
      execArgv: threadOptions(this.#modules[name]),
    });
    pool.on('error', () => undefined);
    return pool;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#stops].map((stop) => stop()));
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }
}

const newState = (): Int32Array => new Int32Array(new SharedArrayBuffer(8));

const isOutOfMemory = (error: unknown): boolean =>
  (error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY';

/** Makes a clock that runs. @returns also a signal that aborts when it has run for so long */
function clockOf(milliseconds: number): { clock: Clock; late: AbortSignal; stop(): void } {
  const over = new AbortController();
  let [left, since, isStopped] = [milliseconds, 0, false];
  let timer: NodeJS.Timeout | undefined;
  const clock = {
    pause() {
      clearTimeout(timer);
      left -= performance.now() - since;
    },
    go() {
      if (isStopped) return;
      since = performance.now();
      timer = setTimeout(() => over.abort(tooCostly('time')), left);
    },
  };
  clock.go();
  const stop = (): void => {
    isStopped = true;
    clearTimeout(timer);
  };
  return { clock, late: over.signal, stop };
}
