import { setTimeout as delay } from 'node:timers/promises';
import type { PatientIdentity } from '../../../../schema/access/access.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import { expiringCache } from '../../token/expiring-cache.ts';
import type { EhrClient } from './ehr-client.ts';
import type { SignInClaims } from './ehr-id-token.ts';
import { EhrRefusal } from './ehr-refusal.ts';
import type { EhrTokens, UnjudgedTokens } from './ehr-tokens.ts';
import { listOf } from './ehr-tokens.ts';
import type { HeldTokens } from './held-tokens.ts';
import type { SealedRows } from '../state/sealed-rows.ts';
import { LIFETIMES } from '../settings.ts';

/** What came of a sign-in at the EHR, for as long as the grant lives that it led to (SM-17). */
export interface EhrSession {
  /** Not there once they have ended without being renewed. */
  tokens?: EhrTokens;
  /** Under which name its tokens are held until they are revoked. */
  held: string;
  /** The last tokens that were renewed, newest first: an EHR may let them live on, and they are revoked with the others. */
  former?: readonly string[];
  /** With what every later id_token has to agree. */
  signIn: SignInClaims;
  /** Who the patient is, as the EHR said at the sign-in: images are found by it while the EHR is down. */
  patient: PatientIdentity;
  /** The EHR has said since that this patient may not be read: `patient` is not used any more. */
  refused?: true;
  /** Seconds since the epoch. */
  until: number;
}

export interface EhrSessions {
  /** @returns false where its tokens have been revoked already */
  keep(grantId: string, session: EhrSession): Promise<boolean>;
  /** The grant's code was redeemed: from now on it is in use. @returns false where there is no session */
  use(grantId: string): Promise<boolean>;
  /** The EHR does not let the patient be read. */
  refuse(grantId: string): Promise<void>;
  /** The session of a grant, with its token renewed where that is due; undefined where the EHR has ended it. */
  of(grantId: string): Promise<EhrSession | undefined>;
  /**
   * Whether the EHR still stands by a grant: its token is good, or was renewed.
   * @throws Fault `unavailable` while that cannot be told
   */
  stands(grantId: string): Promise<boolean>;
  /** Forgets it, and has its tokens revoked. */
  end(grantId: string): Promise<void>;
}

export interface EhrSessionsDeps {
  rows: SealedRows<EhrSession>;
  /** Lets one gateway renew at a time: a refresh token is used once (`State.lock`). */
  lock: (grantId: string, seconds: number) => Promise<(() => Promise<void>) | undefined>;
  held: Pick<HeldTokens, 'replace' | 'keepFor' | 'discard'>;
  client: Pick<EhrClient, 'refresh'>;
  /** The EHR says that this grant is no more: neither is ours (IA-5, IA-9). */
  onEnded: (grantId: string) => Promise<void>;
  /** Told of what went wrong at the EHR. */
  onError: (error: Error) => void;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** An EHR that is down is not asked again at every request. */
const DOWN_SECONDS = 5;
/** Longer than a renewal takes: the lock of a gateway that has died ends by itself. */
const LOCK_SECONDS = 60;
/** A request whose token another gateway is renewing waits this long for it. */
const WAIT_MILLISECONDS = 3000;
const POLL_MILLISECONDS = 50;
/** Former tokens that are kept: those of ten renewals, by which time older ones have ended. */
const MOST_FORMER = 20;

/** The EHR's tokens, held here for our own. No caller ever sees them. */
export function ehrSessions(deps: EhrSessionsDeps): EhrSessions {
  const { rows, lock, held, client, onEnded, onError, now } = deps;
  const seconds = () => now() / 1000;
  const renewals = expiringCache<{ session?: EhrSession | undefined }>(10_000, now);
  const due = ({ tokens }: EhrSession) => tokens?.refresh !== undefined && seconds() >= tokens.renewAt;
  const good = ({ tokens }: EhrSession) => tokens !== undefined && seconds() < tokens.expires;
  /** One that was stored before `signIn` was cannot be judged when it is renewed. */
  const find = async (grantId: string) => {
    const session = await rows.find(grantId);
    return session?.signIn && session;
  };
  const put = (grantId: string, session: EhrSession) => rows.put(grantId, session, session.until - seconds());

  /** @param down the EHR did not answer: it is not asked again at once */
  const renew = async (grantId: string): Promise<{ session?: EhrSession | undefined; down?: boolean }> => {
    const unlock = await lock(grantId, LOCK_SECONDS);
    if (!unlock) return { session: await renewedElsewhere(grantId) };
    try {
      // Another gateway may have renewed it a moment ago.
      const session = await find(grantId);
      return session && due(session) ? await exchange(grantId, session) : { session };
    } finally {
      // It ends by itself, too.
      await unlock().catch(onError);
    }
  };

  const renewedElsewhere = async (grantId: string): Promise<EhrSession | undefined> => {
    for (let waited = 0; ; waited += POLL_MILLISECONDS) {
      const session = await find(grantId);
      if (!session || good(session) || waited >= WAIT_MILLISECONDS) return session;
      await delay(POLL_MILLISECONDS);
    }
  };

  const exchange = async (grantId: string, session: EhrSession) => {
    const { tokens: before, patient, signIn } = session;
    const former = [...new Set([...listOf(before!), ...(session.former ?? [])])].slice(0, MOST_FORMER);
    let given: UnjudgedTokens = {};
    try {
      const tokens = await client.refresh(
        before!.refresh!,
        { patient: patient.id, signIn },
        async (unjudged) => {
          given = unjudged;
          await held.replace(session.held, [...new Set([...listOf(unjudged), ...former])]);
        },
      );
      return await renewedTo(grantId, session, { tokens, former });
    } catch (error) {
      if (error instanceof Fault) {
        // What the EHR gave could not be judged. The old refresh token may be used up, the new one is judged when it is used.
        const { refresh } = given;
        if (refresh !== undefined) {
          await renewedTo(grantId, session, { tokens: { ...before!, refresh }, former });
        }
        return { session, down: true };
      }
      if (!(error instanceof EhrRefusal)) throw error;
      return refused(grantId, session, error);
    }
  };

  const renewedTo = async (
    grantId: string,
    before: EhrSession,
    renewed: Required<Pick<EhrSession, 'tokens' | 'former'>>,
  ) => {
    const now = await find(grantId);
    if (now) {
      // Meanwhile the EHR may have refused the patient.
      const session = { ...now, ...renewed };
      await put(grantId, session);
      return { session };
    }
    // Revoked in the meantime.
    await held.discard(before.held);
    return {};
  };

  /** Changes a session while nobody renews it; after some time also while somebody does. */
  const locked = async (grantId: string, change: () => Promise<void>): Promise<void> => {
    let unlock = await lock(grantId, LOCK_SECONDS);
    for (let waited = 0; !unlock && waited < WAIT_MILLISECONDS; waited += POLL_MILLISECONDS) {
      await delay(POLL_MILLISECONDS);
      unlock = await lock(grantId, LOCK_SECONDS);
    }
    try {
      await change();
    } finally {
      await unlock?.().catch(onError);
    }
  };

  const refused = async (grantId: string, session: EhrSession, error: EhrRefusal) => {
    const ended = error.error === 'invalid_grant';
    if (!ended || !error.said) onError(error);
    // What we did wrong ourselves, such as a key that the EHR does not know, can be mended.
    if (!ended) return { session, down: true };
    const now = await find(grantId);
    if (error.said && now && now.tokens?.refresh !== session.tokens!.refresh) return { session: now };
    await end(grantId, session);
    await onEnded(grantId);
    return {};
  };

  const end = async (grantId: string, session: EhrSession) => {
    await held.discard(session.held);
    await rows.drop(grantId);
    renewals.delete(grantId);
  };

  const renewed = async (grantId: string): Promise<EhrSession | undefined> => {
    const session = await find(grantId);
    if (!session || !due(session)) return session;
    const found = await renewals.get(grantId, async () => {
      const { down, ...value } = await renew(grantId);
      return { value, seconds: down ? DOWN_SECONDS : 0 };
    });
    return found.session;
  };

  return {
    async keep(grantId, session) {
      // A code that no app redeems leads to nothing.
      if (!(await held.keepFor(session.held, LIFETIMES.AuthorizationCode))) return false;
      await put(grantId, session);
      return true;
    },
    async use(grantId) {
      const session = await find(grantId);
      return session !== undefined && held.keepFor(session.held, session.until - seconds());
    },
    async refuse(grantId) {
      if ((await find(grantId))?.refused) return;
      await locked(grantId, async () => {
        const session = await find(grantId);
        if (session) await put(grantId, { ...session, refused: true });
      });
    },
    async of(grantId) {
      const session = await renewed(grantId);
      if (!session || good(session)) return session;
      const { tokens: _, ...rest } = session;
      return rest;
    },
    async stands(grantId) {
      const session = await renewed(grantId);
      if (!session || good(session)) return session !== undefined;
      if (session.tokens?.refresh === undefined) return false;
      throw new Fault('unavailable', 'The EHR does not say at the moment whether this sign-in still holds.', {
        service: 'authorization',
        retryAfter: DOWN_SECONDS,
      });
    },
    async end(grantId) {
      const session = await find(grantId);
      if (session) await end(grantId, session);
    },
  };
}
