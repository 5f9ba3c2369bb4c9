import type { Credentials } from '../../data/transport.ts';
import { Trouble } from '../../data/trouble.ts';
import type { Grant } from './smart-launch.ts';
import type { Known } from './smart-server.ts';

/** A token is renewed this many milliseconds before it expires. */
const MARGIN = 20_000;

/** The tokens of a session, in memory only. A server without sign-in has none. */
export class Tokens implements Credentials {
  readonly #known: Known;
  readonly #onEnd: () => void;
  #grant: Grant | undefined;
  #renewal: Promise<boolean> | undefined;
  #hasEnded = false;

  /** @param onEnd called once, when the session cannot be renewed */
  constructor(known: Known, grant: Grant | undefined, onEnd: () => void = () => undefined) {
    this.#known = known;
    this.#grant = grant;
    this.#onEnd = onEnd;
  }

  /** Milliseconds since the epoch; undefined without a token. */
  get expires(): number | undefined {
    return this.#grant?.expires;
  }

  /** @throws Trouble `signed-out` if the session has ended, another one if it cannot be renewed now */
  async token(): Promise<string | undefined> {
    const grant = this.#grant;
    if (grant && grant.expires - Date.now() < MARGIN) {
      try {
        await this.renew(grant.token);
      } catch (error) {
        // The old token still counts for a moment.
        if (grant.expires <= Date.now()) throw error;
      }
    }
    if (this.#hasEnded) throw new Trouble('signed-out', 'the session has ended');
    return this.#grant?.token;
  }

  async renew(refused: string): Promise<boolean> {
    if (!this.#grant) return false;
    if (this.#grant.token !== refused) return true;
    this.#renewal ??= this.#renewOnce(this.#grant).finally(() => (this.#renewal = undefined));
    return this.#renewal;
  }

  async #renewOnce(grant: Grant): Promise<boolean> {
    const { refresh, revoke } = await import('./smart-launch.ts');
    const renewed = await refresh(this.#known, grant);
    // Signed out meanwhile: what came is not kept.
    if (this.#grant !== grant) {
      if (renewed) await revoke(this.#known, renewed);
      return false;
    }
    this.#grant = renewed;
    if (renewed) return true;
    this.#hasEnded = true;
    this.#onEnd();
    return false;
  }

  /** Forgets the tokens, and revokes them. @returns false if the server has not confirmed it */
  async end(): Promise<boolean> {
    const grant = this.#grant;
    this.#grant = undefined;
    this.#hasEnded = true;
    await this.#renewal?.catch(() => false);
    if (grant === undefined) return true;
    const { revoke } = await import('./smart-launch.ts');
    return revoke(this.#known, grant);
  }
}
