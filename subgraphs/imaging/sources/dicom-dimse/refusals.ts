/** Log of refused associations and objects. */
export interface RefusalLog {
  warn(details: object, message: string): void;
}

/** Milliseconds within which a reason is logged once. */
const LOGGED_EVERY = 1000;

/** Counts what is refused of peers, and logs it; of many for one reason one line a second, which says how many. */
export class Refusals {
  readonly #log: RefusalLog;
  readonly #count: (reason: string) => void;
  readonly #unlogged = new Map<string, { count: number; loggedAt: number }>();

  /** @param count is told of each */
  constructor(log: RefusalLog, count: (reason: string) => void = () => undefined) {
    this.#log = log;
    this.#count = count;
  }

  /**
   * @param reason one of a few, as it is counted
   * @param details for the log; no name and no identifier of a patient
   */
  add(reason: string, details: object): void {
    this.#count(reason);
    const { count, loggedAt } = this.#unlogged.get(reason) ?? { count: 0, loggedAt: -Infinity };
    const now = performance.now();
    const logs = now - loggedAt >= LOGGED_EVERY;
    this.#unlogged.set(reason, logs ? { count: 0, loggedAt: now } : { count: count + 1, loggedAt });
    if (logs) this.#log.warn({ reason, ...details, count: count + 1 }, 'refused of what came by DIMSE');
  }
}
