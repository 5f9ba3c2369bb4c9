import type { Tenant } from '../../../schema/tenant.ts';

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
  fhirUser: string;
}

/** What stands in the page that asks who the user is. */
export interface Question {
  /** Name of the app, for the page to say. */
  app: string;
  /** Where the answer is posted. */
  action: string;
}

/**
 * The step of an authorization that learns who the user is and which patients they may choose. A demonstration lets
 * people say who they are; a tenant with delegated login sends the browser to the EHR and back (IA-28). What comes
 * after, the choice of a patient and the consent, is the same for both.
 */
export interface Identify {
  /** What the browser is shown, or where it is sent, to learn who the user is. */
  ask(tenant: Tenant, question: Question): Promise<{ html: string } | { location: string }>;
  /** Whom the posted answer proves; undefined where it proves nobody. */
  answer(tenant: Tenant, form: URLSearchParams): Promise<User | undefined>;
  /** A user who signed in before; undefined where there is no such user any more. */
  user(tenant: Tenant, account: string): Promise<User | undefined>;
  /** The patients whom this user may open in an app. One: there is nothing to choose. */
  patients(tenant: Tenant, user: User): Promise<readonly Person[]>;
}
