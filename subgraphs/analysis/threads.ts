import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { serverStopping } from '../../schema/fault/refusals.ts';
import type { JoinRule } from '../../schema/fhir/accession-types.ts';
import { threadLimits, threadOptions } from '../../schema/process/thread-limits.ts';
import { threadModule } from '../../schema/process/thread-module.ts';
import type { BuiltTable } from './build.ts';
import { errorOf, failedBy, type Failed } from './failed.ts';
import type { ReachTask } from './reach-file.ts';

/** Megabytes of JavaScript heap of a thread: a build keeps the ways of the record to studies. */
const HEAP = 512;
/** Milliseconds without work after which a thread ends, and gives its memory back. */
const IDLE = 2_000;
/** Milliseconds in which a build that is given up may end by itself, so that its engine is closed in order. */
const STOPPED_AFTER = 5_000;

/** Threads of each kind. A large reach does not stop the others. */
const AT_ONCE = { build: 1, reach: 2 };

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

/** The same with what a thread gets besides. */
export interface ThreadBuild extends BuildTask {
  /** Gives the batches of a feed, of which it is asked for one after the other by its name. */
  feeds: MessagePort;
  /** Shared with the one who waits: whether the build is given up; resources, studies and instances so far. */
  state: Int32Array;
}

/** A batch of a feed, its end, or a failure. */
export type FeedMessage = { batch: readonly unknown[] } | { end: true } | Failed;

type Feeds = Readonly<Record<string, () => AsyncIterable<readonly unknown[]>>>;

/** A build that runs. */
export interface RunningBuild {
  tables: Promise<readonly BuiltTable[]>;
  /** Resources, studies and instances so far. */
  progress(): number;
}

/**
 * Threads of all tenants, in which datasets and reaches are made. The creator closes them.
 * @param module exports `build`, which takes a `ThreadBuild`: a dataset is made of what only the composition root knows
 */
export class AnalysisThreads {
  readonly #modules: Readonly<Record<keyof typeof AT_ONCE, URL>>;
  readonly #pools = new Map<keyof typeof AT_ONCE, Piscina>();
  readonly #stops = new Set<() => Promise<void>>();
  #closed = false;

  constructor(module: URL) {
    this.#modules = { build: module, reach: threadModule('reach-thread', import.meta.url) };
  }

  /**
   * Begins to build a dataset.
   * @param feeds `studies` and `instances`, which are made in this thread
   * @param signal gives it up
   */
  build(task: BuildTask, feeds: Feeds, signal: AbortSignal): RunningBuild {
    const state = new Int32Array(new SharedArrayBuffer(8));
    return { tables: this.#built(task, { feeds, state, signal }), progress: () => Atomics.load(state, 1) };
  }

  async #built(
    task: BuildTask,
    { feeds, state, signal }: { feeds: Feeds; state: Int32Array; signal: AbortSignal },
  ): Promise<readonly BuiltTable[]> {
    const { port1, port2 } = new MessageChannel();
    const feeding = giveBatches(port1, feeds, signal);
    const ending = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      Atomics.store(state, 0, 1);
      timer ??= setTimeout(() => ending.abort(), STOPPED_AFTER);
    };
    signal.addEventListener('abort', stop);
    const asked: ThreadBuild = { ...task, feeds: port2, state };
    const run = { transferList: [port2], signal: ending.signal };
    const running = this.#run<{ tables: readonly BuiltTable[] } | Failed>('build', asked, run);
    const stopped = async (): Promise<void> => {
      stop();
      await running.catch(() => undefined);
    };
    this.#stops.add(stopped);
    try {
      if (signal.aborted) stop();
      const answer = await running;
      signal.throwIfAborted();
      if ('tables' in answer) return answer.tables;
      // The error of a feed says more than the message that the thread got of it.
      throw feeding.failure() ?? errorOf(answer);
    } finally {
      this.#stops.delete(stopped);
      signal.removeEventListener('abort', stop);
      clearTimeout(timer);
      feeding.close();
    }
  }

  /** Makes the file of a reach. @throws Fault `unavailable` when the disk is full */
  async reach(task: ReachTask): Promise<void> {
    const failed = await this.#run<Failed | undefined>('reach', task, {});
    if (failed) throw errorOf(failed);
  }

  async #run<Answer>(
    name: keyof typeof AT_ONCE,
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

  #started(name: keyof typeof AT_ONCE): Piscina {
    const pool = new Piscina({
      filename: this.#modules[name].href,
      name,
      minThreads: 0,
      maxThreads: AT_ONCE[name],
      idleTimeout: IDLE,
      resourceLimits: threadLimits(HEAP),
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

/** Answers a thread that asks for the batches of feeds. */
function giveBatches(
  port: MessagePort,
  feeds: Feeds,
  signal: AbortSignal,
): { failure(): unknown; close(): void } {
  const open = new Map<string, AsyncIterator<readonly unknown[]>>();
  let failure: unknown;
  const next = async (name: string): Promise<FeedMessage> => {
    signal.throwIfAborted();
    let feed = open.get(name);
    if (!feed) open.set(name, (feed = feeds[name]!()[Symbol.asyncIterator]()));
    const { done, value } = await feed.next();
    return done ? { end: true } : { batch: value };
  };
  port.on('message', (name: string) => {
    void next(name)
      .catch((error: unknown) => {
        failure ??= error;
        return failedBy(error);
      })
      .then((message) => port.postMessage(message));
  });
  port.unref();
  return {
    failure: () => failure,
    close() {
      port.close();
      for (const feed of open.values()) void feed.return?.().catch(() => undefined);
    },
  };
}
