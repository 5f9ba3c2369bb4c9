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
import { LIFETIMES } from '../lifetimes.ts';

/** Result of a sign-in at the EHR, kept as long as its grant (SM-17). */
export interface EhrSession {
  /** Undefined when they have expired without renewal. */
  tokens?: EhrTokens;
  /** Name under which its tokens are held until they are revoked. */
  held: string;
  /** The last renewed tokens, newest first: they may still be valid at the EHR, and are revoked with the others. */
  former?: readonly string[];
  /** Claims that every later id_token must repeat. */
  signIn: SignInClaims;
  /** The patient's identity at the sign-in, to find images while the EHR does not answer. */
  patient: PatientIdentity;
  /** The EHR has refused this patient since: `patient` is no longer used. */
  refused?: true;
  /** The patient's record alone did not say which identifiers are theirs: `patient` is not used. */
  needsOthers?: true;
  /** Seconds since the epoch. */
  until: number;
}

export type EhrSessions = ReturnType<typeof ehrSessions>;

export interface EhrSessionsDeps {
  rows: SealedRows<EhrSession>;
  /** Lets one gateway renew at a time, because a refresh token can be used once (`State.lock`). */
  lock: (grantId: string, seconds: number) => Promise<(() => Promise<void>) | undefined>;
  held: Pick<HeldTokens, 'replace' | 'keepFor' | 'discard'>;
  client: Pick<EhrClient, 'refresh'>;
  /** Called when the EHR has ended this grant, which ends ours too (IA-5, IA-9). */
  onEnded: (grantId: string) => Promise<void>;
  /** Called for errors of the EHR. */
  onError: (error: Error) => void;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** Time after which an EHR that did not answer is asked again. */
const DOWN_SECONDS = 5;
/** Longer than a renewal takes. The lock of a gateway that has died expires. */
const LOCK_SECONDS = 60;
/** Time that a request waits for a renewal by another gateway. */
const WAIT_MILLISECONDS = 3000;
const POLL_MILLISECONDS = 50;
/** Former tokens that are kept: those of ten renewals. Older ones have expired by then. */
const MOST_FORMER = 20;

/** Returns the store of the EHR's tokens behind our own. Callers never get them. */
export function ehrSessions(deps: EhrSessionsDeps) {
  const { rows, lock, held, client, onEnded, onError, now } = deps;
  const seconds = () => now() / 1000;
  const renewals = expiringCache<{ session?: EhrSession | undefined }>(10_000, now);
  const due = ({ tokens }: EhrSession) => tokens?.refresh !== undefined && seconds() >= tokens.renewAt;
  const good = ({ tokens }: EhrSession) => tokens !== undefined && seconds() < tokens.expires;
  /** A session of an older version has no `signIn`: its renewed tokens could not be checked. */
  const find = async (grantId: string) => {
    const session = await rows.find(grantId);
    return session?.signIn && session;
  };
  const put = (grantId: string, session: EhrSession) => rows.put(grantId, session, session.until - seconds());

  /** Renews a token. @returns `down`: the EHR did not answer, and is not asked again at once */
  const renew = async (grantId: string): Promise<{ session?: EhrSession | undefined; down?: boolean }> => {
    const unlock = await lock(grantId, LOCK_SECONDS);
    if (!unlock) return { session: await renewedElsewhere(grantId) };
    try {
      // Another gateway may have renewed it a moment ago.
      const session = await find(grantId);
      return session && due(session) ? await exchange(grantId, session) : { session };
    } finally {
      // If this fails, the lock expires.
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
        // The answer could not be checked. The old refresh token may be used up; the new one is checked when it is used.
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
      // The EHR may have refused the patient meanwhile.
      const session = { ...now, ...renewed };
      await put(grantId, session);
      return { session };
    }
    // The session was ended meanwhile.
    await held.discard(before.held);
    return {};
  };

  /** Changes a session under the lock; after some time also without it. */
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
    // Errors of ours, such as a key that the EHR does not know, can be corrected.
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
    /** Stores the session of a grant. @returns false when its tokens were already revoked */
    async keep(grantId: string, session: EhrSession): Promise<boolean> {
      // If no app redeems the code, the tokens are revoked.
      if (!(await held.keepFor(session.held, LIFETIMES.AuthorizationCode))) return false;
      await put(grantId, session);
      return true;
    },
    /** Extends a session, because the grant's code was redeemed. @returns false when there is no session */
    async use(grantId: string): Promise<boolean> {
      const session = await find(grantId);
      return session !== undefined && held.keepFor(session.held, session.until - seconds());
    },
    /** Records that the EHR refuses the patient. */
    async refuse(grantId: string): Promise<void> {
      if ((await find(grantId))?.refused) return;
      await locked(grantId, async () => {
        const session = await find(grantId);
        if (session) await put(grantId, { ...session, refused: true });
      });
    },
    /** Returns the session of a grant, with a renewed token if that is due; undefined when the EHR has ended it. */
    async of(grantId: string): Promise<EhrSession | undefined> {
      const session = await renewed(grantId);
      if (!session || good(session)) return session;
      const { tokens: _, ...rest } = session;
      return rest;
    },
    /**
     * Returns true when the EHR still allows a grant: its token is valid, or was renewed.
     * @throws Fault `unavailable` while the EHR does not answer
     */
    async stands(grantId: string): Promise<boolean> {
      const session = await renewed(grantId);
      if (!session || good(session)) return session !== undefined;
      if (session.tokens?.refresh === undefined) return false;
      throw new Fault(
        'unavailable',
        'The EHR cannot confirm at the moment that this sign-in is still valid. Try again later.',
        { service: 'authorization', retryAfter: DOWN_SECONDS },
      );
    },
    /** Forgets a session and revokes its tokens. */
    async end(grantId: string): Promise<void> {
      const session = await find(grantId);
      if (session) await end(grantId, session);
    },
  };
}
