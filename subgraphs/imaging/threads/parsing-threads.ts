import { availableParallelism } from 'node:os';
import { LRUCache } from 'lru-cache';
import { Fault } from '../../../schema/fault/fault.ts';
import { PixelPool } from './pool.ts';
import type { TaskInput, TaskName, TaskResult } from './tasks.ts';
import { Semaphore } from '../../../schema/concurrency/semaphore.ts';

/** Milliseconds for one task, a thread's start included; what is within its budget takes one or two seconds at most. */
const TIMEOUT = 10_000;
/** Refusals that are remembered, and milliseconds for which: the object may be damaged no longer once its tenant says so. */
const MOST_REFUSALS = 10_000;
const REMEMBERED = 300_000;
/** The same where time or memory ran out, of which other work may have taken its part. */
const BRIEFLY = 30_000;

/** How a source parses what it stores. */
export interface Parsing {
  threads: ParsingThreads;
  /** Elements and values that an object may have (`limits.objectElements` of the tenant). */
  objectElements: number;
}

/**
 * Threads that parse stored objects and make JSON of them (DW-24), so that no object holds the event loop. They are apart
 * from those of pixels: a picture that takes long holds up no metadata. Whoever makes them closes them.
 */
export class ParsingThreads {
  readonly #pool = new PixelPool({ timeout: TIMEOUT, failure: 'The stored object is damaged.' });
  readonly #semaphore = new Semaphore(availableParallelism());
  readonly #refusals = new LRUCache<string, Fault>({ max: MOST_REFUSALS, ttl: REMEMBERED });

  /**
   * Runs one task. A task that runs is waited for, also when its request is given up: files that it reads stay open.
   * @param input a function makes it when its turn comes: copies of bytes do not wait in a queue
   * @param key names the work: when it was refused before, it is refused at once
   * @throws Fault `bad_gateway` for an object that is damaged or over its budget, and as the pool does
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
      // One who waited for the same may know by now.
      this.#throwIfRefused(refusal);
      return await this.#pool.run(name, typeof input === 'function' ? input() : input);
    } catch (error) {
      if (refusal !== undefined && error instanceof Fault && error.code === 'bad_gateway')
        this.#refusals.set(refusal, error, { ttl: error.cause === undefined ? REMEMBERED : BRIEFLY });
      throw error;
    } finally {
      done();
    }
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** Whether this work was refused before. @throws that Fault */
  throwIfRefused(name: TaskName, key: string): void {
    this.#throwIfRefused(`${name}\n${key}`);
  }

  #throwIfRefused(refusal: string | undefined): void {
    const refused = refusal === undefined ? undefined : this.#refusals.get(refusal);
    if (refused) throw refused;
  }
}
