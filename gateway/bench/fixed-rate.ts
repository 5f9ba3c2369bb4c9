/** Requests that are due at fixed times, whether or not earlier ones are answered. */
import { Worker } from 'node:worker_threads';

/** Milliseconds until the first request is due. */
const STARTING = 200;

export interface FixedRate {
  /** Requests in a second. */
  rate: number;
  seconds: number;
  /** Requests that are under way at once, at most; others wait until a connection is free. */
  connections: number;
}

export interface Latencies {
  /** Milliseconds from the time when a request was due until it was answered, so that a stall counts for all that wait. */
  latencies: number[];
  /** Milliseconds from the time when it was due, and a connection was free, until it was sent: the client's own delay. */
  delays: number[];
  /** Answers in a second: fewer than the rate when the server could not keep up. */
  answered: number;
}

/**
 * Sends requests at a fixed rate.
 * @param send sends the request with a number from 0, over the connection with a number from 0
 * @throws as soon as `send` does
 */
export async function atFixedRate(
  fixed: FixedRate,
  send: (connection: number, number: number) => Promise<unknown>,
): Promise<Latencies> {
  const { rate, seconds } = fixed;
  const count = Math.max(1, Math.floor(rate * seconds));
  // The thread has started by then.
  const start = now() + STARTING;
  const workerData = { start, rate, count };
  const clock = new Worker(new URL('./due-times.mjs', import.meta.url), { workerData, execArgv: [] });
  try {
    return await sent(clock, { ...fixed, start, count }, send);
  } finally {
    await clock.terminate();
  }
}

function sent(
  clock: Worker,
  { start, rate, count, connections }: FixedRate & { start: number; count: number },
  send: (connection: number, number: number) => Promise<unknown>,
): Promise<Latencies> {
  const latencies = new Array<number>(count).fill(0);
  const delays = new Array<number>(count).fill(0);
  const idle = Array.from({ length: connections }, (_, connection) => connection);
  let idleSince = start;
  let [due, next, answered] = [0, 0, 0];
  return new Promise((resolve, reject) => {
    const sendDue = () => {
      for (; idle.length > 0 && next < due; next++) begin(next, idle.shift()!);
    };
    const begin = (number: number, connection: number) => {
      const dueAt = start + (number * 1000) / rate;
      delays[number] = now() - Math.max(dueAt, idleSince);
      send(connection, number).then(() => {
        const end = now();
        latencies[number] = end - dueAt;
        if (idle.length === 0) idleSince = end;
        idle.push(connection);
        if (++answered === count) resolve({ latencies, delays, answered: (count * 1000) / (end - start) });
        sendDue();
      }, reject);
    };
    clock.on('error', reject);
    clock.on('message', (count: number) => {
      due = count;
      sendDue();
    });
  });
}

/** Milliseconds of the clock that both threads have. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

/** Returns the value that a part of the values does not exceed. @param part from 0 to 1 */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)]!;
}
