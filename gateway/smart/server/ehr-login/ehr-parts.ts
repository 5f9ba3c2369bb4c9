import type { PatientGrant } from '../../../../schema/access/access.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import { sealer } from '../../../state/sealed.ts';
import { backendTokens } from '../../token/backend-token.ts';
import { identified, patientIdentities } from '../../patient/patient-identities.ts';
import type { IndependentConfig } from '../../discovery/ehr-configuration.ts';
import { smartConfigurations } from '../../discovery/ehr-configuration.ts';
import type { UpstreamDeps } from '../../token/upstream.ts';
import { delegatedLogin, type EhrLogin, type PendingLogin } from './ehr-sign-in.ts';
import { ehrClient } from './ehr-client.ts';
import { ehrSessions, type EhrSession } from './ehr-sessions.ts';
import { heldTokens, type HeldTokens } from './held-tokens.ts';
import type { Identify, User } from '../sign-in/identify.ts';
import type { Keys } from '../state/keys.ts';
import { sealedRows } from '../state/sealed-rows.ts';
import type { State } from '../state/state.ts';

/** The EHR of an independent tenant, for requests with one of our tokens. */
export interface EhrBehind {
  /** Returns the EHR's session of a grant; undefined when there is none (any more). */
  session(grantId: string): Promise<EhrSession | undefined>;
  /**
   * Returns the patient of a token with the identity from the EHR, or from the sign-in while the EHR does not answer.
   * @param own the session of the token's grant, if any
   * @returns an empty list for a patient whom the EHR does not have or show (any more)
   */
  identified(
    patient: PatientGrant,
    own?: { grantId: string; session: EhrSession },
  ): Promise<readonly PatientGrant[]>;
  /** Tokens of the EHR that have to be revoked. */
  held: Pick<HeldTokens, 'sweep' | 'idle'>;
}

export interface DelegationDeps {
  outside: UpstreamDeps;
  tenant: Tenant;
  config: IndependentConfig;
  baseUrl: string;
  state: State;
  /** The secret for cookies also seals the stored data of the EHR: a copy of the state reveals none of it. */
  keys: Keys;
  onError: (error: Error) => void;
}

/** Composes the parts of an independent tenant's authorization server that use its EHR (IA-28, SM-17). */
export function delegation(deps: DelegationDeps): { identify: Identify; ehr: EhrBehind } {
  const { outside, tenant, config, baseUrl, state, keys, onError } = deps;
  const seal = sealer(keys.cookies);
  const rows = <T>(model: string) => sealedRows<T>(state, { tenant: tenant.key, model }, seal, outside.now);
  const client = ehrClient(outside, tenant, config, baseUrl);
  const held = heldTokens({
    sealer: seal,
    revoke: client.revoke,
    onError,
    now: outside.now,
    deadlines: state.deadlines(tenant.key),
  });
  const sessions = ehrSessions({
    client,
    held,
    onError,
    now: outside.now,
    // The end of a grant ends all its tokens, at each gateway.
    onEnded: async (grantId) => void (await state.model(tenant.key, 'Grant').destroy(grantId)),
    rows: rows<EhrSession>('EhrSession'),
    lock: (grantId, seconds) => state.lock(tenant.key, `renewal ${grantId}`, seconds),
  });
  const identify = delegatedLogin({
    outside,
    config,
    client,
    sessions,
    held,
    onError,
    pending: rows<PendingLogin>('EhrQuestion'),
    logins: rows<EhrLogin>('EhrLogin'),
    users: rows<User>('EhrUser'),
  });
  const documents = smartConfigurations(outside);
  const identities = patientIdentities(outside, backendTokens(outside));
  return {
    identify,
    ehr: {
      held,
      session: sessions.of,
      async identified(patient, own) {
        const document = () => documents(tenant, config);
        const { session } = own ?? {};
        const found = await identities({ tenant, config, document }, patient.id, session?.tokens?.access);
        if (found === 'absent' || found === 'refused') {
          // The refusal also counts while the EHR does not answer.
          if (own && session?.patient.id === patient.id) await sessions.refuse(own.grantId);
          return [];
        }
        const isUsable = session?.patient.id === patient.id && !session.refused && !session.needsOthers;
        const known = isUsable ? session.patient : undefined;
        return identified(patient, typeof found === 'object' ? found : (known ?? found));
      },
    },
  };
}
