import { createHash } from 'node:crypto';
import type { Sealer } from '../../../state/sealed.ts';
import type { Deadlines, TakenDeadline } from '../state/deadlines.ts';

/**
 * The one place that disposes of an EHR's tokens. Whatever an EHR gives is held here first, under a name and with a time:
 * when the time comes, or it is discarded before, it is revoked at the EHR (RFC 7009). So nothing stays behind of a
 * sign-in that was refused or left, of a grant that ended, or of a process that died.
 */
export interface HeldTokens {
  /** @param tokens as text, refresh tokens first @param seconds until they are revoked */
  hold(id: string, tokens: readonly string[], seconds: number): Promise<void>;
  /** Holds newer tokens in the place of those of a sign-in. */
  replace(id: string, tokens: readonly string[]): Promise<void>;
  /** @returns false where they are not held any more: they have been revoked */
  keepFor(id: string, seconds: number): Promise<boolean>;
  /** Has them revoked at once. Nobody waits for the EHR. */
  discard(id: string): Promise<void>;
  /** Revokes all whose time has come; resolves when that is done, or the EHR does not answer. */
  sweep(): Promise<void>;
  /** Resolves when nothing is being revoked. */
  idle(): Promise<void>;
}

export interface HeldTokensDeps {
  deadlines: Deadlines;
  sealer: Sealer;
  /** Tells the EHR; throws where it could not be told, and may be asked again. */
  revoke: (tokens: readonly string[]) => Promise<void>;
  onError: (error: Error) => void;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** Before an EHR that could not be told is told again; then twice as long, and so on. One try is over by then. */
const RETRY_SECONDS = 60;
/** An EHR that has not let itself be told in two hours is not told any more. */
const MOST_TRIES = 8;
const AT_ONCE = 5;
/** What is held until the user goes on is held this much longer: the step that ends it may take its time. */
const MARGIN_SECONDS = 60;

export function heldTokens({ deadlines, sealer, revoke, onError, now }: HeldTokensDeps): HeldTokens {
  const seconds = () => now() / 1000;
  const nameOf = (id: string) => createHash('sha256').update(id).digest('base64url');
  const sealed = (name: string, tokens: readonly string[]) =>
    sealer.seal(JSON.stringify(tokens), `held tokens ${name}`);

  /** Without the state nothing can be done later: the EHR is told now, once. */
  const orRevoke = async <T>(tokens: readonly string[], write: () => Promise<T>): Promise<T> => {
    try {
      return await write();
    } catch (error) {
      void revoke(tokens).catch(onError);
      throw error;
    }
  };

  /** @returns false where the EHR has to be told again */
  const disposed = async (taken: TakenDeadline): Promise<boolean> => {
    const text = sealer.open(taken.text, `held tokens ${taken.id}`);
    try {
      // Nobody can read what was sealed with keys that are gone.
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
    async hold(id, tokens, lasting) {
      const name = nameOf(id);
      const due = seconds() + lasting + MARGIN_SECONDS;
      await orRevoke(tokens, () => deadlines.set(name, sealed(name, tokens), due));
    },
    async replace(id, tokens) {
      const name = nameOf(id);
      const text = sealed(name, tokens);
      const there = await orRevoke(tokens, () => deadlines.change(name, { text }));
      // The sign-in has ended meanwhile, and its tokens before these are revoked already.
      if (!there) await orRevoke(tokens, () => deadlines.set(name, text, Math.floor(seconds())));
    },
    keepFor: (id, lasting) => deadlines.change(nameOf(id), { due: seconds() + lasting + MARGIN_SECONDS }),
    async discard(id) {
      if (await deadlines.change(nameOf(id), { due: Math.floor(seconds()) })) void sweep();
    },
    sweep,
    idle: async () => sweeping,
  };
}
