import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Awaitable } from './awaitable.ts';

/**
 * Gives each part of one request's work a separate turn of the event loop, in order. Sources that answer from memory never
 * wait for I/O: without this, a thousand parts would run in one turn while all other requests wait.
 */
export class LoopTurns {
  #waiting: (() => void)[] | undefined;

  /** Resolves in a later turn that no other part of the same request uses. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting ??= [];
      if (this.#waiting.push(resolve) === 1) this.#beginLater();
    });
  }

  #beginLater(): void {
    setImmediate(() => {
      this.#waiting?.shift()?.();
      if (this.#waiting?.length) this.#beginLater();
    });
  }
}

/** Milliseconds for which long work keeps a turn. */
const TURN = 5;
/** A list of at most so many items is worked through at once. */
const FEW = 200;

/**
 * Returns a function to call after each piece of long work: it promises a later turn of the event loop when the work has had
 * this one for 5 ms.
 * @param throwIfOver throws when nobody waits for the work any more: the promise is then rejected
 */
export function turns(throwIfOver?: () => void): () => Promise<void> | undefined {
  let end = performance.now() + TURN;
  const later = async (): Promise<void> => {
    await nextTurn();
    throwIfOver?.();
    end = performance.now() + TURN;
  };
  return () => (performance.now() < end ? undefined : later());
}

/** Maps a list: a short one at once, a long one in several turns. @param throwIfOver as of `turns` */
export function mapInTurns<T, R>(
  items: readonly T[],
  work: (item: T) => R,
  throwIfOver?: () => void,
): Awaitable<R[]> {
  return items.length <= FEW ? items.map(work) : mapLong(items, work, throwIfOver);
}

async function mapLong<T, R>(
  items: readonly T[],
  work: (item: T) => R,
  throwIfOver?: () => void,
): Promise<R[]> {
  const pause = turns(throwIfOver);
  const results: R[] = [];
  for (const item of items) {
    results.push(work(item));
    const later = pause();
    if (later) await later;
  }
  return results;
}

/** Joins bytes in several turns: memory that is written for the first time comes page by page. @param throwIfOver as of `turns` */
export async function concatInTurns(
  pieces: readonly Uint8Array[],
  throwIfOver?: () => void,
): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(pieces.reduce((sum, { length }) => sum + length, 0));
  const pause = turns(throwIfOver);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
    const later = pause();
    if (later) await later;
  }
  return whole;
}
