import type { Patient, Practitioner } from 'fhir/r4.js';
import { generateRandomCodeVerifier, generateRandomNonce, generateRandomState } from 'oauth4webapi';
import { Fault } from '../../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../../schema/fhir/fhir.ts';
import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import { ownIdentity, patientRecord, standsAlone } from '../../../identity/patient-record.ts';
import type { IndependentConfig } from '../../discovery/ehr-configuration.ts';
import type { UpstreamDeps } from '../../token/upstream.ts';
import { call } from '../../token/upstream.ts';
import type { EhrAnswer, EhrClient, Question } from './ehr-client.ts';
import { EhrRefusal } from './ehr-refusal.ts';
import type { Lasting } from './ehr-scope.ts';
import { lastingOf } from './ehr-scope.ts';
import type { EhrSession, EhrSessions } from './ehr-sessions.ts';
import { listOf } from './ehr-tokens.ts';
import type { HeldTokens } from './held-tokens.ts';
import type { Asked, Identify, Person, SignInError, User } from '../sign-in/identify.ts';
import type { LoginHint } from '../sign-in/login-hint.ts';
import { person } from '../sign-in/people.ts';
import type { SealedRows } from '../state/sealed-rows.ts';
import { LIFETIMES } from '../lifetimes.ts';

/** Authorization request to the EHR for one interaction. */
export interface PendingLogin extends Question {
  uid: string;
  /** The user who is signed in at the EHR, by the app: the EHR's answer must be about the same user. */
  hint?: LoginHint;
  /** Access beyond the token that the app wants. */
  lasting?: Lasting;
  manner: Manner;
}

/** The interaction and the app's wishes for a request to the EHR. */
type Asking = Pick<PendingLogin, 'uid' | 'hint' | 'lasting'>;

/** Form of the request to the EHR. */
interface Manner {
  /** Asks the EHR to show no page. */
  silent: boolean;
  /** Sends the hint: not every EHR accepts an id_token of another client. */
  hinted: boolean;
}

/** Answer of the EHR, kept until the user has agreed. */
export interface EhrLogin {
  session: Omit<EhrSession, 'until'>;
  person: Person;
}

export interface DelegatedDeps {
  outside: UpstreamDeps;
  config: IndependentConfig;
  client: EhrClient;
  sessions: EhrSessions;
  held: HeldTokens;
  pending: SealedRows<PendingLogin>;
  logins: SealedRows<EhrLogin>;
  users: SealedRows<User>;
  /** Called for sign-ins that failed. */
  onError: (error: Error) => void;
}

/** Errors of an EHR that was asked to show no page, but has to (OpenID Connect Core §3.1.2.6). */
const HAS_TO_ASK = [
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
];
/** Errors caused by the user at the EHR. */
const OF_THE_USER = [...HAS_TO_ASK, 'access_denied'];
/** Errors of the EHR that are passed on to the app; others concern our request, not the app's. */
const PASSED_ON = [...OF_THE_USER, 'temporarily_unavailable'];

/**
 * Returns the sign-in at the EHR (IA-28, "dual launch"). The app's `login_hint` is an id_token of the EHR. With it the EHR
 * is first asked to answer without a page; if it cannot, it is asked again with its pages. The EHR names the patient.
 */
export function delegatedLogin(deps: DelegatedDeps): Identify {
  const { outside, config, client, sessions, held, pending, logins, users, onError } = deps;

  const send = async ({ uid, hint, lasting }: Asking, manner: Manner): Promise<Asked> => {
    const question = {
      state: generateRandomState(),
      nonce: generateRandomNonce(),
      verifier: generateRandomCodeVerifier(),
    };
    const location = await client.authorizationUrl(question, {
      silent: manner.silent,
      ...(hint && manner.hinted && { idToken: hint.idToken }),
      ...(lasting && { lasting }),
    });
    const asked = { ...question, uid, manner, ...(hint && { hint }), ...(lasting && { lasting }) };
    await pending.put(question.state, asked, LIFETIMES.Interaction);
    return { location };
  };

  /** Returns the error for the app, and logs the reason unless the user refused. */
  const refused = (error: unknown): SignInError => {
    if (!(error instanceof EhrRefusal) && !(error instanceof Fault)) throw error;
    if (!(error instanceof EhrRefusal && error.said && OF_THE_USER.includes(error.error ?? '')))
      onError(error);
    if (error instanceof Fault) return { error: faultError(error), description: error.message };
    const known = error.error !== undefined && PASSED_ON.includes(error.error);
    return known
      ? { error: error.error!, description: 'The EHR did not sign the user in.' }
      : { error: 'server_error', description: 'The EHR did not answer as it should.' };
  };

  const read = async <R extends Record<string, unknown>>(
    tenant: Tenant,
    reference: string,
    token: string,
  ) => {
    const headers = { authorization: `Bearer ${token}` };
    const { status, json } = await call(outside, tenant, `${config.fhirBaseUrl}/${reference}`, { headers });
    return status === 200 ? (json as R) : undefined;
  };

  /** Reads patient and user of an answer. @param name under which the tokens are held */
  const signedIn = async (
    tenant: Tenant,
    answer: EhrAnswer,
    name: string,
  ): Promise<{ login: EhrLogin; user: User }> => {
    const { tokens, patient: id, subject, signIn } = answer;
    const patient = await read<Patient & Record<string, unknown>>(tenant, `Patient/${id}`, tokens.access);
    const record = patient && patientRecord(patient, id);
    if (!record) throw new EhrRefusal('the patient cannot be read with the token');
    const shown = person(patient, id);
    const fhirUser = relative(answer.fhirUser, config.fhirBaseUrl);
    const who = answer.name ?? (await nameOf(tenant, fhirUser, shown, tokens.access)) ?? fhirUser ?? subject;
    return {
      login: {
        session: {
          tokens,
          held: name,
          signIn,
          patient: ownIdentity(record),
          ...(!standsAlone(record, outside.now()) && { needsOthers: true }),
        },
        person: shown,
      },
      user: { account: subject, name: who, fhirUser },
    };
  };

  const nameOf = async (tenant: Tenant, fhirUser: string | undefined, patient: Person, token: string) => {
    if (fhirUser === undefined || fhirUser === patient.reference) return fhirUser && patient.name;
    // It is only a name: the sign-in continues without it.
    const resource = await read<Practitioner & Record<string, unknown>>(tenant, fhirUser, token).catch(
      () => undefined,
    );
    return resource && person(resource, fhirUser.split('/')[1]!).name;
  };

  return {
    async ask(_tenant, { uid, loginHint, scopes }) {
      const lasting = lastingOf(scopes);
      try {
        const hint = loginHint === undefined ? undefined : await client.hint(loginHint);
        const known = hint !== undefined;
        const asking = { uid, ...(hint && { hint }), ...(lasting && { lasting }) };
        return await send(asking, { silent: known, hinted: known });
      } catch (error) {
        if (!(error instanceof EhrRefusal)) return refused(error);
        return { error: 'invalid_request', description: 'login_hint is not an id_token of this EHR.' };
      }
    },
    // No form here identifies a user: the EHR does.
    answer: async () => undefined,
    user: (_tenant, account) => users.find(account),
    async patients(_tenant, _user, login) {
      const found = login === undefined ? undefined : await logins.find(login);
      return found ? [found.person] : [];
    },
    delegation: {
      interactionOf: async (state) => (await pending.find(state))?.uid,

      async returned(tenant, uid, query) {
        const state = query.get('state') ?? '';
        if ((await pending.find(state))?.uid !== uid) return undefined;
        const asked = await pending.take(state);
        if (!asked) return undefined;
        const login = generateRandomState();
        try {
          const answer = await client.redeem(query, asked, (given) =>
            held.hold(login, listOf(given), LIFETIMES.Interaction),
          );
          requireHinted(answer, asked.hint);
          const found = await signedIn(tenant, answer, login);
          await logins.put(login, found.login, LIFETIMES.Interaction);
          await users.put(found.user.account, found.user, LIFETIMES.Grant + LIFETIMES.Interaction);
          return { user: found.user, login };
        } catch (error) {
          // If this fails, the tokens are revoked when their time is over.
          await held.discard(login).catch(onError);
          const next = error instanceof EhrRefusal ? again(asked.manner, error.error) : undefined;
          return next ? send(asked, next).catch(refused) : refused(error);
        }
      },

      async granted(login, grantId, seconds) {
        const found = await logins.take(login);
        if (!found) return false;
        return sessions.keep(grantId, { ...found.session, until: outside.now() / 1000 + seconds });
      },

      async denied(login) {
        // If the user pressed both buttons, the tokens may already belong to a grant; they then stay.
        if (await logins.take(login)) await held.discard(login);
      },

      used: (grantId) => sessions.use(grantId),
      stands: (grantId) => sessions.stands(grantId),
      revoked: (grantId) => sessions.end(grantId),
    },
  };
}

/** Returns how to repeat the request after an error; each change is tried at most once. */
function again({ silent, hinted }: Manner, error: string | undefined): Manner | undefined {
  if (silent && HAS_TO_ASK.includes(error ?? '')) return { silent: false, hinted };
  if (hinted && error === 'invalid_request') return { silent, hinted: false };
  return undefined;
}

/** Refuses an answer about another user or patient than the app's hint (OpenID Connect Core §3.1.2.2). */
function requireHinted({ subject, patient }: EhrAnswer, hint: LoginHint | undefined): void {
  if (!hint) return;
  if (hint.subject !== subject) throw new EhrRefusal('another user than the hint', 'access_denied');
  if (hint.patient !== undefined && hint.patient !== patient) {
    throw new EhrRefusal('another patient than the hint', 'access_denied');
  }
}

/** Returns the `Type/id` of a fhirUser of this EHR; undefined for one of another server. */
function relative(fhirUser: string | undefined, base: string): string | undefined {
  const reference = fhirUser?.startsWith(`${base}/`) ? fhirUser.slice(base.length + 1) : fhirUser;
  const [, id = ''] =
    /^(?:Patient|Practitioner|PractitionerRole|RelatedPerson|Person)\/(.+)$/.exec(reference ?? '') ?? [];
  return FHIR_ID.test(id) ? reference : undefined;
}

/** Returns the error code for a fault: an answer by way of the browser has no HTTP status (RFC 6749 §4.1.2.1). */
function faultError({ status }: Fault): string {
  return status === 429 || status === 503 || status === 504 ? 'temporarily_unavailable' : 'server_error';
}
