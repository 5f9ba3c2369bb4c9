import type { PatientIdentity } from '../../../schema/access.ts';
import { Fault } from '../../../schema/fault.ts';
import { expiringCache } from '../expiring-cache.ts';
import type { EhrClient, EhrTokens } from './ehr-client.ts';
import { EhrRefusal } from './ehr-refusal.ts';
import type { SealedRows } from './sealed-rows.ts';

/** What came of a sign-in at the EHR, for as long as the grant lives that it led to (SM-17). */
export interface EhrSession {
  /** Not there once they have ended without being renewed. */
  tokens?: EhrTokens;
  /** Who the patient is, as the EHR said at the sign-in: images are found by it when the EHR says no more. */
  patient: PatientIdentity;
  /** Seconds since the epoch. */
  until: number;
}

export interface EhrSessions {
  keep(grantId: string, session: EhrSession): Promise<void>;
  /** The session of a grant, with its token renewed where that is due; undefined where the EHR has ended it. */
  of(grantId: string): Promise<EhrSession | undefined>;
  /**
   * Whether the EHR still stands by a grant: its token is good, or was renewed.
   * @throws Fault `unavailable` while that cannot be told
   */
  stands(grantId: string): Promise<boolean>;
  /** Forgets it, and tells the EHR. */
  end(grantId: string): Promise<void>;
}

export interface EhrSessionsDeps {
  rows: SealedRows<EhrSession>;
  /** Who renews at the moment: a refresh token is used once, whichever gateway is first. */
  claims: SealedRows<true>;
  client: Pick<EhrClient, 'refresh' | 'revoke'>;
  /** The EHR says that this grant is no more: neither is ours (IA-5, IA-9). */
  onEnded: (grantId: string) => Promise<void>;
  /** Told of what went wrong at the EHR. */
  onError: (error: Error) => void;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** An EHR that is down is not asked again at every request. */
const DOWN_SECONDS = 5;
const CLAIM_SECONDS = 60;

/** The EHR's tokens, held here for our own. No caller ever sees them. */
export function ehrSessions({ rows, claims, client, onEnded, onError, now }: EhrSessionsDeps): EhrSessions {
  const seconds = () => now() / 1000;
  const renewals = expiringCache<{ session?: EhrSession | undefined }>(10_000, now);
  const due = ({ tokens }: EhrSession) => tokens?.refresh !== undefined && seconds() >= tokens.renewAt;
  const keep = (grantId: string, session: EhrSession) =>
    rows.put(grantId, session, session.until - seconds());

  const renew = async (grantId: string): Promise<{ session?: EhrSession | undefined; down?: boolean }> => {
    // One claim a minute and grant: that of a gateway that has died ends with its minute.
    const claim = `${grantId} ${Math.floor(seconds() / CLAIM_SECONDS)}`;
    await claims.put(claim, true, CLAIM_SECONDS);
    if (!(await claims.take(claim))) return { session: await rows.find(grantId) };
    try {
      // Another gateway may have renewed it a moment ago.
      const session = await rows.find(grantId);
      if (!session || !due(session)) return { session };
      const { tokens, patient } = session;
      try {
        const renewed = { ...session, tokens: await client.refresh(tokens!.refresh!, patient.id) };
        if (!(await rows.find(grantId))) {
          // Revoked in the meantime.
          await client.revoke(renewed.tokens).catch(onError);
          return {};
        }
        await keep(grantId, renewed);
        return { session: renewed };
      } catch (error) {
        if (error instanceof Fault) return { session, down: true };
        if (!(error instanceof EhrRefusal)) throw error;
        const ended = error.error === 'invalid_grant';
        if (!ended || !error.said) onError(error);
        // What we did wrong ourselves, such as a key that the EHR does not know, can be mended.
        if (!ended) return { session, down: true };
        const now = await rows.find(grantId);
        if (now && now.tokens?.refresh !== tokens!.refresh) return { session: now };
        await rows.drop(grantId);
        await onEnded(grantId);
        return {};
      }
    } finally {
      await claims.drop(claim);
    }
  };

  const renewed = async (grantId: string): Promise<EhrSession | undefined> => {
    const session = await rows.find(grantId);
    if (!session || !due(session)) return session;
    const found = await renewals.get(grantId, async () => {
      const { down, ...value } = await renew(grantId);
      return { value, seconds: down ? DOWN_SECONDS : 0 };
    });
    return found.session;
  };
  const good = ({ tokens }: EhrSession) => tokens !== undefined && seconds() < tokens.expires;

  return {
    keep,
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
      const session = await rows.find(grantId);
      await rows.drop(grantId);
      renewals.delete(grantId);
      if (!session?.tokens) return;
      // Best effort: here they are gone already.
      await client.revoke(session.tokens).catch(onError);
    },
  };
}
