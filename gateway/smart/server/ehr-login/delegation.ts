import type { PatientGrant } from '../../../../schema/access/access.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import { sealer } from '../../../state/sealed.ts';
import { backendTokens } from '../../token/backend-token.ts';
import { identified, patientIdentities } from '../../patient/patient.ts';
import type { IndependentConfig } from '../../discovery/smart-configuration.ts';
import { smartConfigurations } from '../../discovery/smart-configuration.ts';
import type { Outside } from '../../token/upstream.ts';
import { delegatedLogin, type EhrLogin, type PendingLogin } from './delegated.ts';
import { ehrClient } from './ehr-client.ts';
import { ehrSessions, type EhrSession } from './ehr-sessions.ts';
import { heldTokens, type HeldTokens } from './held-tokens.ts';
import type { Identify, User } from '../sign-in/identify.ts';
import type { Keys } from '../state/keys.ts';
import { sealedRows } from '../state/sealed-rows.ts';
import type { State } from '../state/state.ts';

/** The EHR of an independent tenant, as those see it who answer with one of our tokens. */
export interface EhrBehind {
  /** What the EHR gave for this grant; undefined where there is nothing, or not any more. */
  session(grantId: string): Promise<EhrSession | undefined>;
  /**
   * The patient of a token with who they are: as the EHR says today or, while it cannot say, as it said at the sign-in.
   * @param own what the token's grant came from, where there is one
   * @returns nothing for a patient whom the EHR does not have or show any more
   */
  identified(patient: PatientGrant, own?: { grantId: string; session: EhrSession }): Promise<PatientGrant[]>;
  /** What it gave and nobody needs any more. */
  held: Pick<HeldTokens, 'sweep' | 'idle'>;
}

export interface DelegationDeps {
  outside: Outside;
  tenant: Tenant;
  config: IndependentConfig;
  baseUrl: string;
  state: State;
  /** What is kept of the EHR's is sealed by the secret that signs cookies: a copy of the state opens none of it. */
  keys: Keys;
  onError: (error: Error) => void;
}

/** Puts together what an independent tenant's authorization server needs of its EHR (IA-28, SM-17). */
export function delegation(deps: DelegationDeps): { identify: Identify; ehr: EhrBehind } {
  const { outside, tenant, config, baseUrl, state, keys, onError } = deps;
  const seal = sealer(keys.cookies);
  const rows = <T>(model: string) => sealedRows<T>(state, tenant.key, model, seal, outside.now);
  const client = ehrClient(outside, tenant, config, baseUrl);
  const held = heldTokens({
    ...{ sealer: seal, revoke: client.revoke, onError, now: outside.now },
    deadlines: state.deadlines(tenant.key),
  });
  const sessions = ehrSessions({
    ...{ client, held, onError, now: outside.now },
    // With its grant every token of ours ends, at each gateway.
    onEnded: async (grantId) => void (await state.model(tenant.key, 'Grant').destroy(grantId)),
    rows: rows<EhrSession>('EhrSession'),
    lock: (grantId, seconds) => state.lock(tenant.key, `renewal ${grantId}`, seconds),
  });
  const identify = delegatedLogin({
    ...{ outside, config, client, sessions, held, onError },
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
        const found = await identities(tenant, config, document, patient.id, session?.tokens?.access);
        if (found === 'absent' || found === 'refused') {
          // What the EHR has said holds while it is down, too.
          if (own && session?.patient.id === patient.id) await sessions.refuse(own.grantId);
          return [];
        }
        const known = session?.patient.id === patient.id && !session.refused ? session.patient : undefined;
        return identified(patient, typeof found === 'object' ? found : (known ?? found));
      },
    },
  };
}
