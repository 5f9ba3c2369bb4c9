/** Links by which a person shows a study to somebody who has no account here. */

/** The limits of a server for links. */
export interface SharingRules {
  maxDays: number;
  maxUses: number;
  passcode: 'required' | 'optional';
}

/** A link that a person asks for. */
export interface WantedLink {
  /** Study Instance UIDs. */
  studies: readonly string[];
  /** `Type/id` of the record. */
  resources: readonly string[];
  /** Its last day, `YYYY-MM-DD`. */
  expires: string;
  /** Times that it can be opened. */
  uses: number;
  passcode?: string;
  label: string;
}

/** A link that was made: the server gives it once. */
export interface MadeLink {
  id: string;
  link: string;
  /** RFC 3339. */
  expires: string;
  /** `Type/id` of what the sign-in may not read. */
  notIncluded: readonly string[];
}

/** A link that works, without its address. */
export interface SharedLink {
  id: string;
  label?: string;
  /** RFC 3339. */
  expires: string;
  usesLeft: number;
  /** `recipient`: who opened it, in their own words. */
  lastOpening?: { time: string; recipient: string };
}
