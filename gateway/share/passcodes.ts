import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto';
import { Semaphore } from '../../schema/concurrency/semaphore.ts';
import { Fault } from '../../schema/fault/fault.ts';

/** RFC 7914: 32 MB and about 0.1 s for each passcode. */
const COST = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 2 ** 20 };
const SALT = 16;
const HASH = 32;
/** Computations at the same time: half of the threads that the process has for files and names of hosts. */
const AT_ONCE = 2;
const MOST_WAITING = 32;
const RETRY_SECONDS = 2;

/** Hashes passcodes and compares them, few at the same time, so that they do not use up the process. */
export class Passcodes {
  readonly #turns = new Semaphore(AT_ONCE);
  #asked = 0;
  /** In place of the hash of a link that does not exist: it is compared too, and takes the same time. */
  readonly #ofNobody = randomBytes(SALT + HASH).toString('base64url');
  readonly #cost: ScryptOptions;

  /** @param cost of each hash */
  constructor(cost: ScryptOptions = COST) {
    this.#cost = cost;
  }

  /**
   * Does work in which passcodes are hashed or compared.
   * @throws Fault `too_many_requests` when too many are waiting
   */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#asked >= AT_ONCE + MOST_WAITING) throw tooMany(RETRY_SECONDS);
    this.#asked++;
    const release = await this.#turns.acquire();
    try {
      return await work();
    } finally {
      release();
      this.#asked--;
    }
  }

  /** Returns salt and hash. */
  async hash(passcode: string): Promise<string> {
    const salt = randomBytes(SALT);
    return Buffer.concat([salt, await this.#derived(passcode, salt)]).toString('base64url');
  }

  /** Compares a passcode with a result of `hash`. It takes the same time without one, and is then false. */
  async matches(passcode: string, kept: string | undefined): Promise<boolean> {
    const bytes = Buffer.from(kept ?? this.#ofNobody, 'base64url');
    const hash = await this.#derived(passcode, bytes.subarray(0, SALT));
    return timingSafeEqual(hash, bytes.subarray(SALT)) && kept !== undefined;
  }

  /** The same passcode may be typed as different code points: with a combining accent, or with one letter. */
  #derived(passcode: string, salt: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) =>
      scrypt(passcode.normalize('NFKC'), salt, HASH, this.#cost, (error, hash) =>
        error ? reject(error) : resolve(hash),
      ),
    );
  }
}

/** Refuses a request because there are too many of its kind. @param retryAfter seconds */
export const tooMany = (retryAfter: number): Fault =>
  new Fault('too_many_requests', 'Too many links are being opened. Try again in a moment.', { retryAfter });
