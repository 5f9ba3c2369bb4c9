import { once } from 'node:events';
import type { MessagePort } from 'node:worker_threads';
import { errorOf, failedBy, type Failed } from './failed.ts';

/** Batches that a thread takes from its creator, one after the other: the creator makes each when it is asked for. */

/** By name. */
export type Feeds = Readonly<Record<string, () => AsyncIterable<readonly unknown[]>>>;

/** A batch of a feed, its end, or a failure. */
type FeedMessage = { batch: readonly unknown[] } | { end: true } | Failed;

/** The part of a task that leads to its creator. */
export interface FromCreator {
  /** Gives the batches of a feed, of which it is asked for one after the other by its name. */
  feeds: MessagePort;
  /** Shared with the one who waits: whether the work is given up; how much is done so far. */
  state: Int32Array;
}

/** Counts the time in which a thread works. */
export interface Clock {
  /** The thread waits for a batch. */
  pause(): void;
  /** It works. */
  go(): void;
}

/** Answers a thread that asks for the batches of feeds. */
export function giveBatches(
  port: MessagePort,
  feeds: Feeds,
  { signal, clock }: { signal: AbortSignal; clock?: Clock | undefined },
): { failure(): unknown; close(): void } {
  const open = new Map<string, AsyncIterator<readonly unknown[]>>();
  let failure: unknown;
  const next = async (name: string): Promise<FeedMessage> => {
    signal.throwIfAborted();
    let feed = open.get(name);
    if (!feed) open.set(name, (feed = feeds[name]!()[Symbol.asyncIterator]()));
    clock?.pause();
    try {
      const { done, value } = await feed.next();
      return done ? { end: true } : { batch: value };
    } finally {
      clock?.go();
    }
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

/** Asks for the batches of a feed, in a thread. @throws the error of the feed */
export async function* pulled<T>(feeds: MessagePort, name: string): AsyncGenerator<readonly T[]> {
  for (;;) {
    feeds.postMessage(name);
    const [message] = (await once(feeds, 'message')) as [FeedMessage];
    if ('end' in message) return;
    if ('failed' in message) throw errorOf(message);
    yield message.batch as readonly T[];
  }
}

/** Returns true when the one who waits has given the work up. */
export const isGivenUp = ({ state }: FromCreator): boolean => Atomics.load(state, 0) === 1;
