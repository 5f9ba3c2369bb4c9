import type { FaultLog } from '../../schema/fault/log-fault.ts';

/** The fates of a record that are counted. */
export type Fate = 'recorded' | 'dropped' | 'rejected';

/** A destination has taken a record, refused it for good, or the record has to be sent again. */
export type Delivered = 'recorded' | 'rejected' | 'again';

export interface DeliveryOptions {
  /** Records that may wait; beyond these, new ones are dropped and counted. */
  most: number;
  /** Records that `deliver` is given at a time. */
  batch: number;
  /** Milliseconds before the first retry; doubled for each further one, up to a minute. */
  backOff: number;
  log: FaultLog;
  /** Name of the records in the log (default: audit records). */
  name?: string;
  count(fate: Fate, records: number): void;
}

export type Delivery<Line = string> = ReturnType<typeof delivery<Line>>;

const LONGEST_PAUSE = 60_000;

/**
 * Delivers records in the background, one batch at a time. A destination that fails is tried again with growing pauses
 * while new records queue. No request waits for its record or fails because of it (IA-30).
 */
export function delivery<Line = string>(
  deliver: (lines: Line[]) => Promise<readonly Delivered[]>,
  options: DeliveryOptions,
) {
  const { most, batch, backOff, log, name = 'audit records', count } = options;
  const waiting: Line[] = [];
  let working: Promise<void> | undefined;
  let dropped = 0;
  let failures = 0;
  let closing = false;
  let wake = (): void => {};

  const drop = (records: number): void => {
    if (records === 0) return;
    dropped += records;
    count('dropped', records);
  };
  const tellDropped = (): void => {
    if (dropped > 0) log.error({ records: dropped }, `${name} were dropped`);
    dropped = 0;
  };
  const pause = (): Promise<void> =>
    new Promise((done) => {
      wake = done;
      setTimeout(done, Math.min(backOff * 2 ** (failures - 1), LONGEST_PAUSE)).unref();
    });

  const work = async (): Promise<void> => {
    while (waiting.length > 0) {
      const lines = waiting.slice(0, batch);
      let err: unknown;
      const fates = await deliver(lines).catch((error: unknown) => {
        err = error;
        return lines.map((): Delivered => 'again');
      });
      // `close` may have dropped them meanwhile.
      if (waiting[0] !== lines[0]) return;
      waiting.splice(0, lines.length, ...lines.filter((_line, index) => fates[index] === 'again'));
      const [recorded, rejected] = (['recorded', 'rejected'] as const).map(
        (wanted) => fates.filter((fate) => fate === wanted).length,
      );
      if (recorded) count('recorded', recorded);
      if (rejected) {
        count('rejected', rejected);
        log.error({ records: rejected }, `${name} were refused by their destination`);
      }
      if (fates.includes('again')) {
        // Logged once per outage, not once per attempt.
        if (failures++ === 0) log.error({ err, waiting: waiting.length }, `${name} cannot be delivered`);
        await pause();
      } else failures = 0;
      tellDropped();
    }
  };

  const start = (): void => {
    working ??= work().finally(() => {
      working = undefined;
      if (waiting.length > 0) start();
    });
  };

  return {
    /** Queues a record; never waits and never throws. */
    add(line: Line): void {
      if (waiting.length >= most || closing) return drop(1);
      waiting.push(line);
      start();
    },
    /** Delivers the waiting records for at most this time; the rest is dropped, counted and logged. */
    async close(milliseconds: number): Promise<void> {
      closing = true;
      wake();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((done) => (timer = setTimeout(done, milliseconds)));
      await Promise.race([working, late]);
      clearTimeout(timer);
      drop(waiting.splice(0).length);
      wake();
      tellDropped();
    },
  };
}
