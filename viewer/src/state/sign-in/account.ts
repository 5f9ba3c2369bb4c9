import type { Call } from '../../data/trace.ts';
import type { SharingRules } from '../../domain/shared-link.ts';
import type { EntryFault } from '../browser/servers.ts';
import type { SignInProblemKind } from './sign-in-problem.ts';
import type { ServerList } from '../browser/server-list.svelte.ts';

/** The user of the page, as the shell sees it; `session.svelte.ts` is one. */
export interface Account {
  /** `opening` until it is known whether a token is needed. */
  readonly phase: 'opening' | 'signed-out' | 'ready';
  /** Why nobody is signed in: the messages have words for the kind. */
  readonly problem: { kind: SignInProblemKind; server?: string | undefined } | undefined;
  /** The servers that the user can choose. */
  readonly servers: ServerList;
  /** Id of the server that the address names; empty for one that is not in the list. */
  readonly serverId: string;
  /** True after the user has signed out. */
  readonly left: boolean;
  /** The patient that the token is for; undefined if the user chooses. */
  readonly patient: string | undefined;
  readonly signInPossible: boolean;
  readonly signedIn: boolean;
  readonly choosesPatient: boolean;
  readonly isClinician: boolean;
  /** The last requests for data, oldest first; without secrets. They change while they run. */
  readonly calls: readonly Readonly<Call>[];
  /** The limits of the server for links to others; undefined if it has none. */
  readonly sharing: SharingRules | undefined;
  open(): Promise<void>;
  signIn(): Promise<void>;
  /** Adds the server that the problem is about, and goes on with what it began. @returns why it cannot be kept */
  trust(): Promise<EntryFault | undefined>;
  /** Leaves the page, to choose another patient. */
  chooseAnother(): Promise<void>;
  signOut(): Promise<void>;
}
