import type { Tenant } from '../../../../schema/tenant/tenant.ts';

/** Somebody of the clinical record: a patient, or somebody who treats patients. */
export interface Person {
  /** Logical id. */
  id: string;
  /** `Patient/…` or `Practitioner/…`. */
  reference: string;
  name: string;
  /** FHIR date. */
  birthDate?: string;
}

/** Who signed in. `account` is the `sub` of tokens. */
export interface User {
  account: string;
  name: string;
  /** Reference of the FHIR resource that represents the user (`fhirUser`, SMART App Launch 2.2 §4.5). */
  fhirUser?: string;
}

/** What stands in the page that asks who the user is. */
export interface Question {
  /** Of the interaction: whatever comes back has to come back to it. */
  uid: string;
  /** Name of the app, for the page to say. */
  app: string;
  /** Where the answer is posted. */
  action: string;
  /** Whom the app says it is (OpenID Connect Core §3.1.2.1). */
  loginHint?: string;
  /** What the app asks for and may have. */
  scopes: readonly string[];
}

/** Why nobody can sign in, as an OAuth error for the app. */
export interface SignInError {
  error: string;
  description: string;
}

export type Asked = { html: string } | { location: string } | SignInError;

/**
 * The step of an authorization that learns who the user is and which patients they may choose. A demonstration lets
 * people say who they are; a tenant with delegated login sends the browser to the EHR and back (IA-28). What comes
 * after, the choice of a patient and the consent, is the same for both.
 */
export interface Identify {
  /** What the browser is shown, or where it is sent, to learn who the user is. */
  ask(tenant: Tenant, question: Question): Promise<Asked>;
  /** Whom the posted answer proves; undefined where it proves nobody. */
  answer(tenant: Tenant, form: URLSearchParams): Promise<User | undefined>;
  /** A user who signed in before; undefined where there is no such user any more. */
  user(tenant: Tenant, account: string): Promise<User | undefined>;
  /**
   * The patients whom this user may open in an app. One: there is nothing to choose.
   * @param login where the sign-in was delegated, which one
   */
  patients(tenant: Tenant, user: User, login?: string): Promise<readonly Person[]>;
  /** Where signing in is left to an EHR. */
  delegation?: Delegation;
}

/** What an EHR's answer to the browser comes to. */
export interface Delegation {
  /** The interaction that an answer with this `state` belongs to; undefined where there is none, or not any more. */
  interactionOf(state: string): Promise<string | undefined>;
  /**
   * Whom the EHR's answer proves, and under which name the answer is kept until the user has agreed.
   * @param uid of the interaction whose browser brings it
   * @returns undefined for an answer that was not asked for by this interaction, or was here before
   */
  returned(
    tenant: Tenant,
    uid: string,
    query: URLSearchParams,
  ): Promise<{ user: User; login: string } | Asked | undefined>;
  /**
   * The user has agreed: the answer belongs to this grant from now on.
   * @param seconds as long as the grant may be used
   * @returns false where it belongs to another already, or waited too long
   */
  granted(login: string, grantId: string, seconds: number): Promise<boolean>;
  /** The sign-in led to no grant: the user has not agreed, or could not. */
  denied(login: string): Promise<void>;
  /** The app has redeemed the code of a grant. @returns false where nothing of the EHR's belongs to it any more */
  used(grantId: string): Promise<boolean>;
  /**
   * Whether the EHR still stands by a grant, so that its tokens may be refreshed.
   * @throws Fault `unavailable` while that cannot be told
   */
  stands(grantId: string): Promise<boolean>;
  /** The grant is no more. */
  revoked(grantId: string): Promise<void>;
}
