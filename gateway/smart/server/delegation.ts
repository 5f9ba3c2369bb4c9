import type { PatientGrant } from '../../../schema/access.ts';
import type { Tenant } from '../../../schema/tenant.ts';
import { sealer } from '../../shared/sealed.ts';
import { backendTokens } from '../backend-token.ts';
import { patientIdentities } from '../patient.ts';
import type { IndependentConfig } from '../smart-configuration.ts';
import { smartConfigurations } from '../smart-configuration.ts';
import type { Outside } from '../upstream.ts';
import { delegatedLogin, type EhrLogin, type PendingLogin } from './delegated.ts';
import { ehrClient } from './ehr-client.ts';
import { ehrSessions, type EhrSession } from './ehr-sessions.ts';
import type { Identify, User } from './identify.ts';
import type { Keys } from './keys.ts';
import { sealedRows } from './sealed-rows.ts';
import type { State } from './state.ts';

/** The EHR of an independent tenant, as those see it who answer with one of our tokens. */
export interface EhrBehind {
  /** What the EHR gave for this grant; undefined where there is nothing, or not any more. */
  session(grantId: string): Promise<EhrSession | undefined>;
  /**
   * The grant with who its patient is: as the EHR says today, or else as it said at the sign-in.
   * @returns nothing for a patient whom the EHR does not have any more
   */
  identified(grant: PatientGrant, session: EhrSession | undefined): Promise<PatientGrant[]>;
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
  const sessions = ehrSessions({
    ...{ client, onError, now: outside.now },
    // With its grant every token of ours ends, at each gateway.
    onEnded: async (grantId) => void (await state.model(tenant.key, 'Grant').destroy(grantId)),
    rows: rows<EhrSession>('EhrSession'),
    claims: rows<true>('EhrRenewal'),
  });
  const identify = delegatedLogin({
    ...{ outside, config, client, sessions, onError },
    pending: rows<PendingLogin>('EhrQuestion'),
    logins: rows<EhrLogin>('EhrLogin'),
    users: rows<User>('EhrUser'),
  });
  const documents = smartConfigurations(outside);
  const identities = patientIdentities(outside, backendTokens(outside));
  return {
    identify,
    ehr: {
      session: sessions.of,
      async identified(grant, session) {
        const document = () => documents(tenant, config);
        const identity = await identities(tenant, config, document, grant.id, session?.tokens?.access);
        if (identity === 'absent') return [];
        const known = identity ?? (session?.patient.id === grant.id ? session.patient : undefined);
        return [known ? { ...grant, identity: known } : grant];
      },
    },
  };
}
