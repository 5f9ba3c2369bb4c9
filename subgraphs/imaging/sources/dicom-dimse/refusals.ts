/** Log of refused associations and objects. */
export interface RefusalLog {
  warn(details: object, message: string): void;
}

/** Milliseconds between two log lines with the same reason. */
const LOGGED_EVERY = 1000;

/** Counts and logs refusals of peers. Each reason has at most one log line a second, with the number of refusals. */
export class Refusals {
  readonly #log: RefusalLog;
  readonly #count: (reason: string) => void;
  readonly #unlogged = new Map<string, { count: number; loggedAt: number }>();

  /** @param count called for each refusal */
  constructor(log: RefusalLog, count: (reason: string) => void = () => undefined) {
    this.#log = log;
    this.#count = count;
  }

  /**
   * Adds a refusal.
   * @param reason one of a few, used for counting
   * @param details for the log, without names or identifiers of patients
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
