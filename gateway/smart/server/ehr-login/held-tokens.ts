import { createHash } from 'node:crypto';
import type { Sealer } from '../../../state/sealed.ts';
import type { Deadlines, TakenDeadline } from '../state/deadlines.ts';

/**
 * The only place that revokes tokens of an EHR. All tokens of an EHR are stored here first, with a name and a time. They are
 * revoked at the EHR when the time is over or they are discarded (RFC 7009). So no tokens stay valid after a sign-in that
 * was refused or abandoned, after the end of a grant, or after the end of a process.
 */
export type HeldTokens = ReturnType<typeof heldTokens>;

export interface HeldTokensDeps {
  deadlines: Deadlines;
  sealer: Sealer;
  /** Revokes tokens at the EHR; throws when that failed and may be repeated. */
  revoke: (tokens: readonly string[]) => Promise<void>;
  onError: (error: Error) => void;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** Time before the first repetition of a failed revocation; it doubles each time. One try is over by then. */
const RETRY_SECONDS = 60;
/** Largest number of tries, which take two hours. */
const MOST_TRIES = 8;
const AT_ONCE = 5;
/** Tokens are held this much longer than the user's step, because the step itself takes time. */
const MARGIN_SECONDS = 60;

export function heldTokens({ deadlines, sealer, revoke, onError, now }: HeldTokensDeps) {
  const seconds = () => now() / 1000;
  const nameOf = (id: string) => createHash('sha256').update(id).digest('base64url');
  const sealed = (name: string, tokens: readonly string[]) =>
    sealer.seal(JSON.stringify(tokens), `held tokens ${name}`);

  /** If the state cannot store them, the tokens are revoked now, once. */
  const orRevoke = async <T>(tokens: readonly string[], write: () => Promise<T>): Promise<T> => {
    try {
      return await write();
    } catch (error) {
      void revoke(tokens).catch(onError);
      throw error;
    }
  };

  /** Revokes tokens that were taken. @returns false when that has to be repeated */
  const disposed = async (taken: TakenDeadline): Promise<boolean> => {
    const text = sealer.open(taken.text, `held tokens ${taken.id}`);
    try {
      // Tokens that were sealed with lost keys cannot be read.
      if (text !== undefined) await revoke(JSON.parse(text) as string[]);
    } catch (error) {
      if (taken.tries < MOST_TRIES) return false;
      onError(error as Error);
    }
    await deadlines.remove(taken);
    return true;
  };

  const sweepOnce = async (): Promise<void> => {
    for (;;) {
      const taken = await deadlines.take(AT_ONCE, RETRY_SECONDS);
      const done = await Promise.all(taken.map(disposed));
      if (!done.includes(true)) return;
    }
  };

  let sweeping: Promise<void> | undefined;
  let again = false;
  const sweep = (): Promise<void> => {
    again = true;
    sweeping ??= (async () => {
      while (again) {
        again = false;
        await sweepOnce();
      }
    })()
      .catch(onError)
      .finally(() => (sweeping = undefined));
    return sweeping;
  };

  return {
    /** Stores tokens. @param tokens as text, refresh tokens first @param lasting seconds until they are revoked */
    async hold(id: string, tokens: readonly string[], lasting: number): Promise<void> {
      const name = nameOf(id);
      const due = seconds() + lasting + MARGIN_SECONDS;
      await orRevoke(tokens, () => deadlines.set(name, sealed(name, tokens), due));
    },
    /** Replaces the tokens of a sign-in by newer ones. */
    async replace(id: string, tokens: readonly string[]): Promise<void> {
      const name = nameOf(id);
      const text = sealed(name, tokens);
      const there = await orRevoke(tokens, () => deadlines.change(name, { text }));
      // The sign-in has ended meanwhile, and its earlier tokens are already revoked.
      if (!there) await orRevoke(tokens, () => deadlines.set(name, text, Math.floor(seconds())));
    },
    /** Sets a new time. @returns false when the tokens were already revoked */
    keepFor: (id: string, lasting: number) =>
      deadlines.change(nameOf(id), { due: seconds() + lasting + MARGIN_SECONDS }),
    /** Starts the revocation, without waiting for the EHR. */
    async discard(id: string): Promise<void> {
      if (await deadlines.change(nameOf(id), { due: Math.floor(seconds()) })) void sweep();
    },
    /** Revokes all tokens whose time is over; resolves when that is done, or the EHR does not answer. */
    sweep,
    /** Resolves when no revocation is running. */
    idle: async () => sweeping,
  };
}
