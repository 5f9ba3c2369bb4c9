import type { Tenant } from '../../../../schema/tenant/tenant.ts';
import type { PatientsOfStudy } from './study-hint.ts';

/** A person of the clinical record: a patient or a practitioner. */
export interface Person {
  /** Logical id. */
  id: string;
  /** `Patient/…` or `Practitioner/…`. */
  reference: string;
  name: string;
  /** FHIR date. */
  birthDate?: string;
}

/** A user who signed in. `account` is the `sub` of tokens. */
export interface User {
  account: string;
  name: string;
  /** Reference of the FHIR resource that represents the user (`fhirUser`, SMART App Launch 2.2 §4.5). */
  fhirUser?: string;
}

/** Contents of the sign-in page. */
export interface Question {
  /** Id of the interaction to which the answer belongs. */
  uid: string;
  /** Name of the app, shown on the page. */
  app: string;
  /** URL for the form. */
  action: string;
  /** The user whom the app expects (OpenID Connect Core §3.1.2.1). */
  loginHint?: string;
  /** Requested scopes that the app may get. */
  scopes: readonly string[];
  /** Part of a name, if the user looks for one. */
  find?: string | undefined;
}

/** Reason why the sign-in is not possible, as an OAuth error for the app. */
export interface SignInError {
  error: string;
  description: string;
}

export type Asked = { html: string } | { location: string } | SignInError;

/**
 * The step of an authorization that identifies the user and the patients whom the user may choose. In a demonstration users
 * choose who they are; a tenant with delegated login sends the browser to the EHR and back (IA-28). The next steps, the
 * choice of a patient and the consent, are the same for both.
 */
export interface Identify {
  /** Returns the page, or the URL, where the user signs in. */
  ask(tenant: Tenant, question: Question): Promise<Asked>;
  /** Returns the user whom a request of an own page names, and who needs no page: undefined for all others. */
  atOnce?(tenant: Tenant, request: { client: string; hint: unknown }): User | undefined;
  /** Returns the user that a posted form identifies; undefined when it identifies none. */
  answer(tenant: Tenant, form: URLSearchParams): Promise<User | undefined>;
  /** Returns a user who has signed in; undefined when there is no such user any more. */
  user(tenant: Tenant, account: string): Promise<User | undefined>;
  /**
   * Returns the patients whom this user may open in an app. With one patient there is no choice.
   * @param login name of the EHR's answer, for a delegated sign-in
   */
  patients(tenant: Tenant, user: User, login?: string): Promise<readonly Person[]>;
  /** Returns the patients of a study that the app names, whether the user may choose them or not. */
  ofStudy?: PatientsOfStudy | undefined;
  /** The EHR, for a delegated sign-in. */
  delegation?: Delegation;
}

/** The part of a sign-in that is delegated to an EHR. */
export interface Delegation {
  /** Returns the interaction that an answer with this `state` belongs to; undefined when there is none (any more). */
  interactionOf(state: string): Promise<string | undefined>;
  /**
   * Returns the user of the EHR's answer, and the name under which the answer is kept until the user has agreed.
   * @param uid of the interaction whose browser brings the answer
   * @returns undefined for an answer that this interaction did not request, or that came before
   */
  returned(
    tenant: Tenant,
    uid: string,
    query: URLSearchParams,
  ): Promise<{ user: User; login: string } | Asked | undefined>;
  /**
   * Assigns the answer to a grant, because the user has agreed.
   * @param seconds for which the grant may be used
   * @returns false when it belongs to another grant, or was kept too long
   */
  granted(login: string, grantId: string, seconds: number): Promise<boolean>;
  /** Discards the answer, because the sign-in led to no grant. */
  denied(login: string): Promise<void>;
  /** Records that the app has redeemed the code of a grant. @returns false when the grant has no tokens of the EHR */
  used(grantId: string): Promise<boolean>;
  /**
   * Returns true when the EHR still allows a grant, so that its tokens may be refreshed.
   * @throws Fault `unavailable` while the EHR does not answer
   */
  stands(grantId: string): Promise<boolean>;
  /** Ends the EHR's session of a grant, because the grant has ended. */
  revoked(grantId: string): Promise<void>;
}
