import { availableParallelism } from 'node:os';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { PixelPool } from './pool.ts';
import type { TaskInput, TaskName, TaskResult } from './tasks.ts';
import { Semaphore } from '../../../schema/concurrency/semaphore.ts';

/** Milliseconds for one task, with the start of its thread. A task within its budget takes at most two seconds. */
const TIMEOUT = 10_000;
/** Number of remembered refusals. */
const MOST_REFUSALS = 10_000;
/** Seconds for which a refusal is remembered. The object may be repaired, or the tenant's limit raised. */
const REMEMBERED = 300;
/** Seconds after time or memory ran out, for which other work may be the cause. */
const BRIEFLY = 30;

/** Means of a source to parse its objects. */
export interface Parsing {
  threads: ParsingThreads;
  /** Elements and values that an object may have (`limits.objectElements` of the tenant). */
  objectElements: number;
}

/**
 * Threads that parse stored objects into JSON (DW-24), so that no object blocks the event loop. They are separate from
 * those of pixels: a slow picture does not delay metadata. Their creator closes them.
 */
export class ParsingThreads {
  readonly #pool = new PixelPool({ timeout: TIMEOUT, failure: 'The stored object is damaged.' });
  readonly #semaphore = new Semaphore(availableParallelism());
  readonly #refusals = boundedCache<Fault>({ entries: MOST_REFUSALS, seconds: REMEMBERED });

  /**
   * Runs one task. It is always awaited, also when its request is aborted, because the files that it reads stay open.
   * @param input a function makes the input when the task starts, so that copies of bytes do not wait in a queue
   * @param key names the work, which is refused at once if it was refused before
   * @throws Fault `bad_gateway` for an object that is damaged or over its budget; faults of the pool
   */
  async run<N extends TaskName>(
    name: N,
    input: TaskInput<N> | (() => TaskInput<N>),
    key?: string,
  ): Promise<TaskResult<N>> {
    const refusal = key === undefined ? undefined : `${name}\n${key}`;
    this.#throwIfRefused(refusal);
    const done = await this.#semaphore.acquire();
    try {
      // The same work may have been refused while this task waited.
      this.#throwIfRefused(refusal);
      return await this.#pool.run(name, typeof input === 'function' ? input() : input);
    } catch (error) {
      if (refusal !== undefined && error instanceof Fault && error.code === 'bad_gateway')
        this.#refusals.set(refusal, error, error.cause === undefined ? {} : { ttl: BRIEFLY * 1000 });
      throw error;
    } finally {
      done();
    }
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** Throws the Fault of this work if it was refused before. */
  throwIfRefused(name: TaskName, key: string): void {
    this.#throwIfRefused(`${name}\n${key}`);
  }

  #throwIfRefused(refusal: string | undefined): void {
    const refused = refusal === undefined ? undefined : this.#refusals.get(refusal);
    if (refused) throw refused;
  }
}
